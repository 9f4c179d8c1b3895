//! How a run ends, and a broker.

use nix::sys::signal::{SIGKILL, SIGTERM, kill};
use nix::unistd::Pid;

use super::fake::{By, is_gone};
use super::*;
use crate::guardian::protocol::Keep;
use crate::output::LogFiles;

#[test]
fn a_run_without_leases_ends_with_its_runner() {
    for by in [By::Descriptor, By::Look] {
        let run = Run::with(by);
        let (first, _, pid) = run.started("first");
        drop(first);
        run.ends();
        assert!(!procfs::is_alive(pid));
    }
}

#[test]
fn nobody_loses_what_he_has_when_the_runner_is_gone() {
    let mut run = Run::new();
    let (mut first, _, pid) = run.started("first");
    let mut own = run.wants_as("own", |want| want.is_exclusive = true);
    own.waits();
    run.runner_ends();
    assert_eq!(own.refused(), "the run is over: its runner has ended");
    assert!(run.wants("late").refused().starts_with("the run is over"));
    first.orders(1, &Order::Sync { token: 7 });
    assert!(matches!(first.event(1), Event::Answer { token: 7, errno: 0, .. }));
    assert!(procfs::is_alive(pid));
    first.releases();
    assert_eq!(first.answer(), Word::Released(Undone::Nothing));
    run.broker_ends();
    assert!(!procfs::is_alive(pid));
}

#[test]
fn a_starter_goes_on_when_the_runner_is_gone() {
    let mut run = Run::new();
    let mut starter = run.wants("starter");
    let pid = starter.starts(&run, &["sleep", "1000"]);
    run.runner_ends();
    // The end is known when others are turned away.
    eventually(|| matches!(run.wants("late").word(), Word::Refused(_)));
    starter.is_ready();
    drop(starter);
    run.broker_ends();
    assert!(!procfs::is_alive(pid));
}

#[test]
fn two_that_die_while_the_runner_goes_keep_nobody() {
    let mut run = Run::new();
    let (first, _, pid) = run.started("first");
    let mut other = run.wants_as("second", |want| want.key = "another".into());
    let other_pid = other.starts(&run, &["sleep", "1000"]);
    other.is_ready();
    kill(Pid::from_raw(pid), SIGKILL).unwrap();
    kill(Pid::from_raw(other_pid), SIGKILL).unwrap();
    run.runner_ends();
    drop((first, other));
    run.broker_ends();
}

#[test]
fn a_broker_that_is_asked_to_end_ends_all_of_it() {
    let mut run = Run::new();
    let (mut first, _, pid) = run.started("first");
    let mut waiting = run.wants_as("waiting", |want| want.is_exclusive = true);
    waiting.waits();
    let mut starter = run.wants_as("starter", |want| want.key = "another".into());
    let started = starter.starts(&run, &["sleep", "1000"]);
    kill(Pid::from_raw(run.broker()), SIGTERM).unwrap();
    assert_eq!(waiting.refused(), "the broker of the run was asked to end");
    assert_eq!(starter.refused(), "the broker of the run was asked to end");
    assert!(matches!(first.event(1), Event::Exited { was_asked: true, .. }));
    first.ends();
    run.broker_ends();
    assert!(!procfs::is_alive(pid) && !procfs::is_alive(started));
}

#[test]
fn a_broker_that_is_killed_takes_all_with_it() {
    let mut run = Run::new();
    let (mut first, _, pid) = run.started("first");
    kill(Pid::from_raw(run.broker()), SIGKILL).unwrap();
    first.ends();
    run.broker.wait().unwrap();
    is_gone(pid);
}

/// As a test binary that is run by hand: it says so before its own end, and forgets to let go of something.
#[test]
fn a_process_that_is_the_run_ends_it_with_its_own_end() {
    let mut run = Run::new();
    let (_forgotten, _, pid) = run.started("first");
    let mut over = run.comes();
    over.asks(&Ask::Over);
    over.ends();
    run.broker_ends();
    assert!(!procfs::is_alive(pid));
}

#[test]
fn logs_stay_where_somebody_may_want_to_read_them() {
    for (failed, stays) in [(false, false), (true, true)] {
        let run = Run::new();
        let mut first = run.wants("first");
        first.is_told_to_start();
        first.begins();
        first.greets(&run, Keep::Never);
        let mut launch = launch(&run, &["sh", "-c", "echo words; exec sleep 1000"]);
        launch.log = std::env::temp_dir().join(format!("pkit-broker-log-{}-{failed}", run.broker()));
        let log = LogFiles::at(&launch.log).data();
        let files = launch.log.clone();
        first.spawns(1, launch);
        first.sees_it_start(1);
        first.is_ready();
        eventually(|| log.exists());
        first.asks(&Ask::Release { failed, changed: Vec::new(), vital: None });
        first.answer();
        run.ends();
        assert_eq!(log.exists(), stays);
        LogFiles::at(&files).remove();
    }
}

#[test]
fn what_is_to_be_kept_stays_up_at_the_end_of_the_run_and_not_before() {
    let mut run = Run::new();
    let mut first = run.wants("first");
    first.is_told_to_start();
    first.begins();
    first.greets(&run, Keep::Always);
    first.spawns(1, launch(&run, &["sleep", "1000"]));
    let gone = first.sees_it_start(1);
    drop(first);
    let mut second = run.wants("second");
    second.is_told_to_start();
    assert!(!procfs::is_alive(gone), "its starter has died, and another one starts it");
    second.begins();
    second.greets(&run, Keep::Always);
    second.spawns(1, launch(&run, &["sleep", "1000"]));
    let kept = second.sees_it_start(1);
    second.is_ready();
    let [guardian] = run.guardians()[..] else { panic!("one guardian") };
    drop(second);
    run.runner_ends();
    run.broker_ends();
    assert!(procfs::is_alive(kept));
    kill(Pid::from_raw(guardian), SIGTERM).unwrap();
    is_gone(kept);
}
