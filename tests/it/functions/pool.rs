//! `Pool`: items of work over processes.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pkit_test::{Failure, Pool, Process, pool, simple, with_processes};
use pkit_test_tests::child::wait_ms;
use pkit_test_tests::process::stat;

use crate::child::{HANG, wait_until};
use crate::race::random;

mod crashes;
mod ends;
mod race;

fn double(n: u64) -> u64 {
    n * 2
}

/// Returns after so many milliseconds.
fn after_ms(n: usize, ms: u32) -> usize {
    wait_ms(ms);
    n
}

/// Waits until there is such a file.
fn gated(n: usize, gate: PathBuf) -> usize {
    while !gate.exists() {
        wait_ms(1);
    }
    n
}

/// A file in the directory of the first worker, which stays from run to run.
fn file(pool: &Pool, name: &str) -> PathBuf {
    pool.processes().next().unwrap().dir().join(name)
}

fn pids(pool: &Pool) -> Vec<u32> {
    pool.processes().filter_map(Process::pid).collect()
}

/// Its workers as they are now, each with the time at which it was started, since ids come again.
fn running(pool: &Pool) -> Vec<(u32, u64)> {
    pids(pool).into_iter().filter_map(|pid| Some((pid, stat(pid)?.started))).collect()
}

/// Whether none of these runs any more.
fn are_gone(workers: &[(u32, u64)]) -> bool {
    workers.iter().all(|(pid, started)| stat(*pid).is_none_or(|stat| stat.started != *started))
}

fn all<R>(answers: impl Iterator<Item = Result<R, Failure>>) -> Vec<R> {
    answers.map(Result::unwrap).collect()
}

#[test]
fn answers_come_in_the_order_of_the_items() {
    let pool = Pool::new(4).unwrap();
    let items: Vec<(usize, u32)> = (0..60).map(|n| (n, random(12) as u32)).collect();
    assert_eq!(all(pool.map(after_ms, items)), (0..60).collect::<Vec<_>>());
}

/// Says that it has begun, and by whom it is worked on.
fn gated_here(here: PathBuf, gate: PathBuf) -> u32 {
    fs::write(here, "").unwrap();
    gated(0, gate);
    std::process::id()
}

/// Has each of its workers do something at the same time, and says which they are.
fn each_works(pool: &Pool, round: usize) -> BTreeSet<u32> {
    let gate = file(pool, &format!("gate-{round}"));
    let begun = pool.processes().enumerate().map(|(n, _)| file(pool, &format!("begun-{round}-{n}")));
    let begun: Vec<PathBuf> = begun.collect();
    let tickets: Vec<_> = begun.iter().map(|here| pool.submit(gated_here, (here.clone(), gate.clone()))).collect();
    wait_until(|| begun.iter().all(|here| here.exists()));
    fs::write(&gate, "").unwrap();
    tickets.iter().map(|ticket| ticket.join().unwrap()).collect()
}

#[test]
fn all_workers_work() {
    let pool = Pool::new(3).unwrap();
    assert_eq!(each_works(&pool, 0), pids(&pool).into_iter().collect());
}

#[test]
fn an_endless_source_is_read_no_further_than_it_may() {
    let pool = Pool::new(3).unwrap();
    let mut read = 0;
    let source = (0_u64..).inspect(|_| read += 1);
    assert_eq!(all(pool.map(double, source).take(10)), (0..10).map(double).collect::<Vec<_>>());
    assert!((10..=10 + 6).contains(&read), "{read}");
}

#[test]
fn a_map_is_lazy() {
    let pool = Pool::new(1).unwrap();
    let mut read = 0;
    drop(pool.map(double, (0..).inspect(|_| read += 1)));
    assert_eq!(read, 0);
    let mut of_three = pool.map(double, 0..3);
    assert_eq!(of_three.size_hint(), (3, Some(3)));
    of_three.next();
    assert_eq!(of_three.size_hint(), (2, Some(2)));
    assert_eq!(all(of_three.by_ref()), [2, 4]);
    assert!(of_three.next().is_none());
}

#[test]
fn a_map_that_is_dropped_loses_nothing_but_its_answers() {
    let pool = Pool::new(2).unwrap();
    let marks = |n: usize| file(&pool, &format!("done-{n}"));
    let mark = |path: PathBuf| fs::write(path, "").unwrap();
    let mut map = pool.map(mark, (0..4).map(marks));
    map.next().unwrap().unwrap();
    drop(map);
    drop(pool.submit(mark, marks(4)));
    wait_until(|| (0..5).all(|n| marks(n).exists()));
}

#[test]
fn whoever_submits_more_than_there_is_room_for_waits() {
    let pool = Pool::new(2).unwrap();
    let (gate, handed_in) = (file(&pool, "gate"), AtomicUsize::new(0));
    thread::scope(|threads| {
        let submits = threads.spawn(|| {
            let submit = |n| {
                let ticket = pool.submit(gated, (n, gate.clone()));
                handed_in.fetch_add(1, Ordering::Relaxed);
                ticket
            };
            (0..20).map(submit).collect::<Vec<_>>()
        });
        // Two are being worked on, and two wait.
        wait_until(|| handed_in.load(Ordering::Relaxed) == 4);
        wait_ms(50);
        assert_eq!(handed_in.load(Ordering::Relaxed), 4);
        // A map has room of its own: its reader is not to wait for others.
        let mut map = pool.map(gated, [(99, gate.clone())]);
        fs::write(&gate, "").unwrap();
        assert_eq!(map.next().unwrap().unwrap(), 99);
        let tickets = submits.join().unwrap();
        assert_eq!(
            tickets.iter().map(|ticket| ticket.join().unwrap()).collect::<Vec<_>>(),
            (0..20).collect::<Vec<_>>()
        );
    });
}

#[test]
fn four_threads_share_a_pool() {
    let pool = Pool::new(3).unwrap();
    thread::scope(|threads| {
        for number in 0..4_u64 {
            let pool = &pool;
            threads.spawn(move || {
                for turn in 0..50 {
                    let base = number * 1000 + turn * 10;
                    assert_eq!(all(pool.map(double, base..base + 3)), (base..base + 3).map(double).collect::<Vec<_>>());
                    assert_eq!(pool.run(double, base).unwrap(), base * 2);
                }
            });
        }
    });
    assert!(pool.crashes().is_empty());
}

#[test]
fn an_answer_is_there_as_often_as_it_is_asked_for() {
    let pool = Pool::new(1).unwrap();
    let gate = file(&pool, "gate");
    let ticket = pool.submit(gated, (7, gate.clone()));
    assert_eq!(ticket.try_join().unwrap(), None);
    fs::write(&gate, "").unwrap();
    assert_eq!((ticket.join().unwrap(), ticket.join().unwrap()), (7, 7));
    assert_eq!((ticket.try_join().unwrap(), ticket.join_timeout(HANG).unwrap()), (Some(7), Some(7)));
}

#[test]
fn an_item_may_start_processes() {
    let pool = Pool::new(2).unwrap();
    let starts = |n: u32| {
        let echo = simple(format!("echo {n}")).may_exit().start().unwrap();
        echo.wait().unwrap();
        echo.stdout()
    };
    assert_eq!(all(pool.map(starts, 0..4)), ["0\n", "1\n", "2\n", "3\n"]);
}

/// A pool in a worker of a pool, whose own crash is not that of the outer worker.
fn pooled(n: u64) -> (u64, bool) {
    let inner = Pool::new(2).unwrap();
    let sum = inner.map(double, 0..n).map(Result::unwrap).sum();
    (sum, inner.run(|| -> () { std::process::abort() }, ()).unwrap_err().is_signal())
}

#[test]
fn an_item_may_have_a_pool_of_its_own() {
    let pool = Pool::new(2).unwrap();
    assert_eq!(all(pool.map(pooled, [2, 3, 4])), [(2, true), (6, true), (12, true)]);
    assert!(pool.crashes().is_empty());
}

#[test]
fn large_items_and_answers_go_through() {
    const BYTES: usize = 10 * 1024 * 1024;
    let pool = Pool::new(2).unwrap();
    let reversed = |text: String| text.chars().rev().collect::<String>();
    let text = format!("{}b", "a".repeat(BYTES));
    let back = pool.run(reversed, text).unwrap();
    assert!(back.len() == BYTES + 1 && back.starts_with("ba"));
    let sizes = all(pool.map(|size: usize| "x".repeat(size), [0, 1, 65_520, 65_536, 1 << 20, 3]));
    assert_eq!(sizes.iter().map(String::len).collect::<Vec<_>>(), [0, 1, 65_520, 65_536, 1 << 20, 3]);
}

#[test]
fn what_an_item_prints_is_the_output_of_its_worker() {
    let pool = Pool::new(1).unwrap();
    let prints = |n: u32| print!("item {n} ");
    all(pool.map(prints, 0..3));
    let worker = pool.processes().next().unwrap();
    worker.wait_for_output("item 2 ", HANG).unwrap();
    assert_eq!(worker.stdout(), "item 0 item 1 item 2 ");
}

#[test]
fn pointers_and_functions_of_all_kinds_are_run() {
    let pool = Pool::new(1).unwrap();
    let functions: [fn(u64) -> u64; 2] = [double, |n| n + 1];
    assert_eq!(functions.map(|function| pool.run(function, 5).unwrap()), [10, 6]);
    assert_eq!(pool.run(u64::pow, (2, 5)).unwrap(), 32);
}

#[test]
fn a_pool_that_cannot_be_is_refused() {
    let none = Pool::new(0).unwrap_err();
    assert!(none.is_spec() && none.to_string().contains("a pool without workers"), "{none}");
    let no_time = pool(1).item_timeout(std::time::Duration::ZERO).start().unwrap_err();
    assert!(no_time.is_spec(), "{no_time}");
}

#[with_processes(pool = pool(2), other = pool(1).each(|spec| spec.env("WHO", "{pool.0.dir}")))]
#[test]
fn a_pool_is_a_parameter(pool: &Pool, other: Pool) {
    assert_eq!(pool.run(double, 4).unwrap(), 8);
    let dir = other.run(|| std::env::var("WHO").unwrap(), ()).unwrap();
    assert_eq!(dir, pool.processes().next().unwrap().dir().display().to_string());
}
