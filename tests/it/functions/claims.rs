//! What process-kit promises of its processes, each promise by its name.

use std::sync::Mutex;
use std::sync::mpsc::channel;
use std::time::Duration;

use pkit_test::ready::{Output, Said};
use pkit_test::{Exit, Process, Restart, current, function};
use pkit_test_tests::child::{pause, wait_ms};
use pkit_test_tests::process::stat;

/// Takes a moment to be ready, and a moment to end.
fn slow_to_come_and_to_go(ms: u32) -> u32 {
    wait_ms(ms);
    assert!(!current().terminating());
    current().ready();
    while !current().terminating() {
        wait_ms(1);
    }
    wait_ms(ms);
    7
}

#[test]
fn start_with_wait() {
    let spec = function(|text: String| println!("{text}"), "it runs".to_owned());
    let worker = spec.ready(Output::any("^it runs$")).start().unwrap();
    assert_eq!(worker.stdout(), "it runs\n", "`start` has waited for the line");
    // It says itself when it is ready.
    let worker = function(slow_to_come_and_to_go, 20).ready(Said::ready()).start().unwrap();
    worker.terminate().unwrap();
    assert_eq!(worker.join().unwrap(), 7, "so that it heard of its end");
}

#[test]
fn blocking_terminate() {
    for _ in 0..10 {
        let worker = function(slow_to_come_and_to_go, 20).ready(Said::ready()).start().unwrap();
        let pid = worker.pid().unwrap();
        worker.terminate().unwrap();
        assert!(stat(pid).is_none(), "it is gone, and no zombie");
        assert_eq!(worker.join_timeout(Duration::ZERO).unwrap(), Some(7));
    }
}

#[test]
fn exit_callbacks() {
    let (tell, told) = channel();
    let (starts, ends) = (Mutex::new(tell.clone()), Mutex::new(tell));
    fn exits(code: i32) {
        std::process::exit(code);
    }
    let worker = function(exits, 3)
        .on_start(move |process: &Process| starts.lock().unwrap().send(format!("start {}", process.name())).unwrap())
        .on_exit(move |process: &Process, exit: Exit| {
            assert_eq!(process.pid(), None);
            ends.lock().unwrap().send(exit.to_string()).unwrap();
        })
        .start()
        .unwrap();
    worker.join().map(|never: ()| never).unwrap_err();
    // Who waits for its end may know of it before the callback does, which is to meet nobody who was started since.
    assert_eq!([told.recv(), told.recv()], ["start exits", "exit code 3"].map(|line| Ok(line.to_owned())));
    worker.call(0).unwrap_err();
    worker.stop().unwrap();
    let told: Vec<String> = told.try_iter().collect();
    assert_eq!(told, ["start exits", "exit code 0"]);
}

#[test]
fn reuse() {
    let worker = function(|n: u32| (n, std::process::id()), 1).start().unwrap();
    let mut pids = Vec::new();
    for n in 1..=5 {
        let (value, pid) = if n == 1 { worker.join().unwrap() } else { worker.call(n).unwrap() };
        assert_eq!((value, worker.pid(), worker.is_alive()), (n, None, false));
        pids.push(pid);
    }
    worker.start().unwrap();
    assert_eq!(worker.join().unwrap().0, 5, "the arguments are the last ones");
    pids.dedup();
    assert_eq!(pids.len(), 5, "each time it is another process");
}

#[test]
fn restart() {
    let worker = function(|| -> () { pause() }, ()).start().unwrap();
    for (how, signal) in [(Restart::Graceful, 15), (Restart::Forced, 9)] {
        let before = worker.pid().unwrap();
        worker.restart(how).unwrap();
        assert_eq!(worker.exit().and_then(|exit| exit.signal()), Some(signal));
        assert!(stat(before).is_none() && worker.pid().is_some_and(|pid| pid != before));
    }
    assert_eq!(worker.restarts(), 2);
}
