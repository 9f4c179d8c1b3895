//! A worker that runs again: with the same arguments, with others, and never with those of the run before.

use std::fs;
use std::iter;
use std::process;
use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use expect_test::expect;
use pkit_test::{Restart, Worker, current, function, orchestra, orchestrated, simple};
use pkit_test_tests::child::pause;

use super::uses::Uses;
use crate::alone::alone;
use crate::text::normalised;

/// How long a race goes on.
const RACE: Duration = Duration::from_secs(1);

fn double(n: u32) -> u32 {
    n * 2
}

#[test]
fn after_its_end_it_has_no_pid_and_its_last_exit() {
    let worker = function(|code: i32| -> u32 { process::exit(code) }, 3).start().unwrap();
    worker.join().unwrap_err();
    let state = |worker: &Worker<u32>| (worker.pid(), worker.is_alive(), worker.exit().and_then(|exit| exit.code()));
    assert_eq!(state(&worker), (None, false, Some(3)));
    worker.start_with(4).unwrap();
    worker.wait().unwrap();
    assert_eq!(state(&worker), (None, false, Some(4)));
    worker.start().unwrap();
    worker.join().unwrap_err();
    assert_eq!(state(&worker), (None, false, Some(4)));
}

#[test]
fn the_failure_of_one_run_is_not_that_of_the_next() {
    let worker = function(|a: u32, b: u32| a / b, (6, 2)).start().unwrap();
    assert_eq!(worker.join().unwrap(), 3);
    assert!(worker.call((6, 0)).unwrap_err().is_panic());
    assert!(worker.join().unwrap_err().is_panic());
    assert_eq!(worker.call((9, 3)).unwrap(), 3);
    assert_eq!(worker.join().unwrap(), 3);
}

#[test]
fn other_arguments_have_to_be_what_it_takes() {
    let worker = function(double, 1).start().unwrap();
    worker.join().unwrap();
    let error = worker.start_with("1".to_owned()).unwrap_err();
    assert!(error.is_spec());
    expect![[r#"
        `double` was not started: it takes u32, and was given alloc::string::String: invalid type: a string, as `u32`
          spec:   function(double, u32)   tests/it/functions/reuse.rs"#]]
    .assert_eq(&normalised(&error.to_string()));
    let failure = worker.call((1_u32, 2_u32)).unwrap_err();
    expect![[r#"
        `double` was not started: it takes u32, and was given (u32, u32): invalid type: a list, as `u32`
          spec:   function(double, u32)   tests/it/functions/reuse.rs"#]]
    .assert_eq(&normalised(&failure.to_string()));
    worker.start_with(-1).unwrap_err();
    // What is refused changes nothing.
    assert_eq!(worker.join().unwrap(), 2);
    worker.start().unwrap();
    assert_eq!(worker.join().unwrap(), 2);
    // A number is a number.
    assert_eq!((worker.call(21).unwrap(), worker.call(21_u8).unwrap(), worker.call(21_i64).unwrap()), (42, 42, 42));
}

#[test]
fn it_does_not_start_while_it_runs() {
    let worker = function(|_: u32| -> () { pause() }, 1).start().unwrap();
    let pid = worker.pid();
    for error in [worker.start().unwrap_err(), worker.start_with(2).unwrap_err()] {
        assert!(error.is_state(), "{error}");
    }
    assert!(!worker.call(2).unwrap_err().is_panic());
    assert_eq!(worker.pid(), pid);
}

#[test]
fn arguments_that_were_refused_are_not_those_of_the_next_start() {
    let worker = function(|n: u32| if n == 1 { n } else { pause() }, 1).start().unwrap();
    worker.join().unwrap();
    worker.start_with(2).unwrap();
    worker.start_with(1).unwrap_err();
    worker.kill().unwrap();
    worker.start().unwrap();
    assert!(worker.is_alive() && worker.join_timeout(Duration::from_millis(20)).unwrap().is_none());
}

#[test]
fn it_is_told_of_each_run() {
    let (tell, told) = channel();
    let (starts, exits) = (Mutex::new(tell.clone()), Mutex::new(tell));
    let worker = function(double, 1)
        .on_start(move |process| starts.lock().unwrap().send(format!("start {}", process.restarts())).unwrap())
        .on_exit(move |_, exit| exits.lock().unwrap().send(exit.to_string()).unwrap())
        .start()
        .unwrap();
    worker.join().unwrap();
    worker.call(2).unwrap();
    worker.start().unwrap();
    worker.join().unwrap();
    worker.stop().unwrap();
    let told: Vec<String> = told.try_iter().collect();
    assert_eq!(told, ["start 0", "exit code 0", "start 1", "exit code 0", "start 2", "exit code 0"]);
}

#[test]
fn each_way_to_run_it_again_is_another_process_in_the_same_place() {
    fn place() -> (u32, u16, String) {
        fs::write(current().dir().join("kept"), "").unwrap();
        println!("here");
        (process::id(), current().port_of("peer"), current().dir().display().to_string())
    }
    let worker = function(place, ()).port("peer").start().unwrap();
    let first = worker.join().unwrap();
    worker.start().unwrap();
    let second = worker.join().unwrap();
    worker.restart(Restart::Graceful).unwrap();
    let third = worker.join().unwrap();
    worker.restart(Restart::Forced).unwrap();
    let fourth = worker.join().unwrap();
    let places = [&first, &second, &third, &fourth].map(|(_, port, dir)| (*port, dir.clone()));
    assert!(places.iter().all(|place| *place == places[0]), "{places:?}");
    let mut pids = [first.0, second.0, third.0, fourth.0];
    pids.sort_unstable();
    assert!(pids.windows(2).all(|pair| pair[0] != pair[1]), "{pids:?}");
    assert_eq!((worker.stdout().as_str(), worker.restarts()), ("here\n", 3));
}

#[test]
fn it_may_become_a_program_and_then_returns_nothing() {
    let worker = function(double, 1).start().unwrap();
    worker.join().unwrap();
    worker.replace(simple("true")).unwrap();
    worker.wait().unwrap();
    expect![[r#"
        cannot join it: `double` has ended
          exit:   exit code 0"#]]
    .assert_eq(&normalised(&worker.join().unwrap_err().to_string()));
    expect![[r#"
        `double` was not started: it is a program by now
          spec:   simple("true")   tests/it/functions/reuse.rs"#]]
    .assert_eq(&normalised(&worker.call(1).unwrap_err().to_string()));
}

#[test]
fn two_hundred_runs_of_one_leave_no_trace() {
    alone(|| {
        let worker = function(|n: usize, bytes: Vec<u8>| (n, bytes.len()), (0, Vec::new())).start().unwrap();
        let mut before = None;
        for n in 0..220 {
            let bytes = vec![0; n * 100];
            assert!(n != 0 || worker.join().is_ok());
            assert_eq!(worker.call((n, bytes)).unwrap(), (n, n * 100));
            if n == 20 {
                before = Some(Uses::settled(0));
            }
        }
        let before = before.unwrap();
        let after = Uses::settled_again(&before);
        assert!(after.is_no_more_than(&before), "{after:?} after {before:?}");
    });
}

#[test]
fn only_the_logs_of_its_last_runs_are_kept() {
    fn wordy(n: usize) {
        println!("{n}");
    }
    let worker = function(wordy, 0).start().unwrap();
    worker.join().unwrap();
    let logs = || {
        let own = format!("{}.", process::id());
        let all = fs::read_dir(worker.log_path().parent().unwrap()).unwrap().flatten();
        let names = all.map(|entry| entry.file_name().to_string_lossy().into_owned());
        names.filter(|name| name.starts_with(&own) && name.contains("-wordy.") && name.ends_with(".log")).count()
    };
    for n in 1..50 {
        worker.call(n).unwrap();
        assert_eq!((logs(), worker.stdout()), ((n + 1).min(32), format!("{n}\n")));
    }
    drop(worker);
}

#[test]
fn many_threads_may_want_the_same_one() {
    let worker = function(double, 1).start().unwrap();
    worker.join().unwrap();
    let values: Vec<(u32, u32)> = thread::scope(|scope| {
        let calls = (0..16).map(|n| {
            let worker = &worker;
            // Whoever loses may lose as often as a run takes: only what was returned is counted.
            scope.spawn(move || {
                iter::repeat_with(|| Some((n, worker.call(n).ok()?))).flatten().take(2).collect::<Vec<_>>()
            })
        });
        let calls: Vec<_> = calls.collect();
        calls.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    // Somebody else's run may be under way, which is an error. What is returned is that of one's own.
    assert!(values.iter().all(|(n, value)| *value == n * 2), "{values:?}");
    assert_eq!(values.len(), 16 * 2);
}

#[test]
fn many_threads_may_see_the_same_one_fail() {
    let fails = function(|n: u32| -> u32 { panic!("{n}") }, 1);
    let told = orchestrated(orchestra().with("fails", fails), |stack| {
        let worker = stack.get::<Worker<u32>>("fails");
        worker.join().unwrap_err();
        let until = Instant::now() + RACE;
        thread::scope(|scope| {
            for n in 0..8 {
                scope.spawn(move || {
                    while Instant::now() < until {
                        worker.call(n).unwrap_err();
                    }
                });
            }
        });
    });
    // Whoever has called has been told, although others have started it again before.
    told.unwrap();
}
