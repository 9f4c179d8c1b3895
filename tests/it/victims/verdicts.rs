//! Tests whose processes end, or do not.

use std::time::Duration;

use pkit_test::{Process, Signal, output, simple, with_processes};

use super::chosen::{command, is_chosen, only};

/// Tells which error the body means.
type Outcome = Result<(), String>;

const GRACE: Duration = Duration::from_millis(100);

#[with_processes(worker = only(|| simple(command("exits", "0"))))]
#[test]
fn ends_with_zero(worker: Process) {
    if is_chosen() {
        worker.wait().unwrap();
    }
}

#[with_processes(worker = only(|| simple(command("exits", "7 --say 'no more'"))))]
#[test]
fn ends_with_seven(worker: &Process) {
    if is_chosen() {
        worker.wait().unwrap();
    }
}

#[with_processes(worker = only(|| simple(command("exits", "--signal SIGSEGV"))))]
#[test]
fn dies_of_a_signal(worker: Process) -> pkit_test::Result<()> {
    if is_chosen() {
        worker.wait()?;
    }
    Ok(())
}

#[with_processes(worker = only(|| output(command("crash_later", "0 --code 3"), "up")))]
#[test]
fn ends_and_starts_again(worker: Process) {
    if is_chosen() {
        worker.write_stdin("x").unwrap();
        worker.wait().unwrap();
        worker.start().unwrap();
    }
}

#[with_processes(worker = only(|| simple(command("exits", "7")).may_exit()))]
#[test]
fn may_exit(worker: Process) {
    if is_chosen() {
        worker.wait().unwrap();
    }
}

#[with_processes(worker = only(|| simple(command("exits", "7 --ms 20")).expect_exit(7)))]
#[test]
fn exits_as_expected() {}

#[with_processes(worker = only(|| simple(command("exits", "6 --ms 20")).expect_exit(7)))]
#[test]
fn exits_otherwise() {}

#[with_processes(worker = only(|| output(command("sleeper", ""), "sleeper").expect_exit(7).stop_timeout(GRACE * 20)))]
#[test]
fn never_exits() {}

#[with_processes(worker = only(|| output(command("deaf", ""), "deaf").stop_timeout(GRACE).must_stop_gracefully()))]
#[test]
fn has_to_be_killed() {}

#[with_processes(worker = only(|| output(command("deaf", ""), "deaf").stop_timeout(GRACE).must_stop_gracefully()))]
#[test]
fn had_to_be_killed_by_the_body(worker: Process) {
    if is_chosen() {
        let _ = worker.stop();
    }
}

#[with_processes(worker = only(|| output(command("deaf", ""), "deaf").stop_timeout(GRACE)))]
#[test]
fn is_deaf() {}

#[with_processes(
    asked = only(|| output(command("sleeper", ""), "sleeper")),
    stopped = only(|| output(command("sleeper", ""), "sleeper")),
    polite = only(|| output(command("polite", "0 --code 4"), "ready")),
)]
#[test]
fn ends_what_it_likes(asked: Process, stopped: Process, polite: Process) {
    asked.signal(Signal::Kill).unwrap();
    asked.wait().unwrap();
    stopped.stop().unwrap();
    if is_chosen() {
        polite.signal(Signal::Term).unwrap();
        polite.wait().unwrap();
    }
}

#[with_processes(worker = only(|| simple(command("exits", "0")).on_exit(|_, _| panic!("no luck")).may_exit()))]
#[test]
fn has_a_callback_that_panics(worker: Process) {
    if is_chosen() {
        worker.wait().unwrap();
    }
}

#[with_processes(one = only(|| simple(command("exits", "1"))), two = only(|| simple(command("exits", "2"))))]
#[test]
fn loses_two(one: Process, two: Process) {
    if is_chosen() {
        one.wait().unwrap();
        two.wait().unwrap();
    }
}

#[with_processes(worker = only(|| simple(command("exits", "7"))))]
#[test]
fn fails_by_itself(worker: Process) {
    if is_chosen() {
        worker.wait().unwrap();
        panic!("what the body says");
    }
}

#[with_processes(worker = only(|| simple(command("exits", "7"))))]
#[test]
fn returns_an_error(worker: Process) -> Outcome {
    if is_chosen() {
        worker.wait().unwrap();
        return Err("what the body returns".to_owned());
    }
    Ok(())
}

#[with_processes(
    first = only(|| output(command("sleeper", ""), "sleeper")),
    worker = only(|| output(command("exits", "7 --say 'no luck'"), "ready").after("first")),
    never = only(|| output(command("sleeper", ""), "sleeper").after("worker")),
)]
#[test]
fn does_not_start(first: Process) {
    assert!(!is_chosen() || first.is_alive(), "not reached");
}

#[with_processes(worker = only(|| output(command("exits", "7"), "ready")))]
#[test]
#[should_panic]
fn does_not_start_and_should_panic() {
    assert!(is_chosen(), "as it should");
}

#[with_processes(worker = only(|| simple(command("exits", "7"))))]
#[test]
#[should_panic(expected = "as it should")]
fn loses_its_process_and_panics_as_it_should(worker: Process) {
    if is_chosen() {
        worker.wait().unwrap();
    }
    panic!("as it should");
}

#[with_processes(worker = only(|| output(command("sleeper", ""), "sleeper")))]
#[test]
#[should_panic(expected = "as it should")]
fn panics_as_it_should(worker: &mut Process) {
    assert!(!worker.is_alive(), "as it should");
}

#[with_processes(worker = only(|| output(command("sleeper", ""), "sleeper")))]
#[test]
#[should_panic(expected = "as it should")]
fn does_not_panic(worker: Process) {
    assert!(is_chosen(), "as it should");
    drop(worker);
}

#[with_processes(worker = only(|| output(command("daemon", ""), "daemon").stop_timeout(GRACE)))]
#[test]
fn leaves_a_daemon() {}
