//! The end of a pool, and of what it stands on.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::time::Instant;

use nix::sys::signal::Signal;
use pkit_test::{Pool, current, orchestrated, pool, with_processes};
use pkit_test_tests::child::pause;
use pkit_test_tests::process::{children, signal_process};

use super::{all, are_gone, double, file, gated, running};
use crate::alone::alone;
use crate::child::{HANG, wait_until};

fn hang() {
    pause()
}

#[test]
fn dropped_in_the_middle_everything_has_an_end() {
    let pool = Pool::new(2).unwrap();
    let (gate, before) = (file(&pool, "gate"), running(&pool));
    let done = pool.submit(double, 3);
    done.join().unwrap();
    let tickets: Vec<_> = (0..4).map(|n| pool.submit(gated, (n, gate.clone()))).collect();
    let began = Instant::now();
    drop(pool);
    assert!(began.elapsed() < HANG && are_gone(&before));
    assert_eq!(done.join().unwrap(), 6);
    for ticket in tickets {
        let failure = ticket.join().unwrap_err();
        assert!(failure.is_dropped() && failure.to_string().contains("the pool was dropped"), "{failure}");
    }
}

#[test]
fn dropped_by_a_panic_it_ends_as_well() {
    let mut before = Vec::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let pool = Pool::new(2).unwrap();
        before = running(&pool);
        let _ticket = pool.submit(hang, ());
        panic!("the test fails");
    }));
    assert!(panicked.is_err() && before.len() == 2 && are_gone(&before));
}

/// A worker that hears of SIGTERM, as an item may have asked for, ends at its end of file.
#[test]
fn a_worker_that_catches_sigterm_ends_at_once_when_it_has_nothing_to_do() {
    let catches = || current().terminating();
    let began = Instant::now();
    let patient = || pool(2).each(|spec| spec.stop_timeout(HANG * 2));
    {
        let pool = patient().start().unwrap();
        assert!(!pool.run(catches, ()).unwrap());
    }
    orchestrated([("pool", patient())], |stack| {
        let pool: &Pool = stack.get("pool");
        assert!(!pool.run(catches, ()).unwrap());
    })
    .unwrap();
    assert!(began.elapsed() < HANG, "it was waited for until SIGKILL");
}

/// What it has to do at its exit is done.
#[test]
fn a_worker_ends_as_a_program_does() {
    extern "C" fn at_exit() {
        let _ = std::env::var("MARK").map(|mark| fs::write(mark, "good bye"));
    }
    let registers = || {
        // SAFETY: the function is there as long as the process.
        assert_eq!(unsafe { nix::libc::atexit(at_exit) }, 0);
    };
    let other = Pool::new(1).unwrap();
    let mark = file(&other, "mark");
    let pool = pool(1).each(|spec| spec.env("MARK", mark.display().to_string())).start().unwrap();
    pool.run(registers, ()).unwrap();
    assert!(!mark.exists());
    drop(pool);
    assert_eq!(fs::read_to_string(&mark).unwrap(), "good bye");
}

#[test]
fn without_its_guardian_items_fail_or_are_done_and_nothing_hangs() {
    alone(|| {
        let pool = Pool::new(2).unwrap();
        all(pool.map(double, 0..4));
        let (gate, before) = (file(&pool, "gate"), running(&pool));
        let ticket = pool.submit(gated, (1, gate));
        let [guardian] = children(std::process::id())[..] else { panic!("a test has one guardian") };
        signal_process(guardian, Signal::SIGKILL).unwrap();
        assert!(ticket.join_timeout(HANG).unwrap_err().is_guardian_lost());
        wait_until(|| are_gone(&before));
        // The next guardian has the next workers.
        let answers: Vec<_> = pool.map(double, 0..20).collect();
        assert!(answers.iter().flatten().count() >= 18, "{answers:?}");
        let before = running(&pool);
        drop(pool);
        assert!(are_gone(&before));
    });
}

#[with_processes(pool = pool(2))]
#[test]
fn a_pool_whose_items_hang_ends_with_the_test(pool: &Pool) {
    drop(pool.submit(hang, ()));
    drop(pool.submit(|_: PathBuf| hang(), PathBuf::new()));
}
