//! The count of what is left: that it sees whoever executes a file, and nobody else, and is in nobody's way.

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use pkit_test_tests::private::{Private, wait_gone};
use pkit_test_tests::process::stat;

use crate::{HANG, Run, until};

#[test]
fn are_counted_while_they_live_and_not_as_zombies() {
    let mut run = Run::start("sleeper", &[]);
    assert_eq!(run.line(), "sleeper");
    assert_eq!(run.executable.survivors(), [run.process.id()]);
    run.signal(Signal::SIGKILL);
    assert!(run.executable.wait_gone(HANG).is_empty());
    // It executes nothing a moment before it is one.
    until(|| stat(run.process.id()).filter(|stat| stat.state == 'Z'));
}

#[test]
fn are_only_our_own() {
    let mut run = Run::start("sleeper", &[]);
    run.line();
    assert!(Private::copy_of("sleeper").survivors().is_empty());
}

#[test]
fn are_returned_when_the_bound_is_reached() {
    let mut run = Run::start("sleeper", &[]);
    run.line();
    assert_eq!(run.executable.wait_gone(Duration::from_millis(20)), [run.process.id()]);
}

/// A start at the moment of a count is not to fail: nobody can execute a file that somebody may write to.
#[test]
fn are_counted_while_others_start() {
    let (executable, is_over) = (Private::copy_of("exits"), AtomicBool::new(false));
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                let _ = executable.survivors(); // There may be some.
            }
        });
        let starts = (0..100).map(|_| Command::new(executable.path()).status().map(|status| status.success()));
        let failed: Vec<_> = starts.filter(|start| !matches!(start, Ok(true))).collect();
        is_over.store(true, Ordering::Relaxed);
        assert!(failed.is_empty(), "{failed:?}");
    });
}

#[test]
fn are_known_after_their_file_is_deleted() {
    let mut run = Run::start("sleeper", &[]);
    run.line();
    std::fs::remove_file(run.executable.path()).expect("it is ours");
    assert_eq!(run.executable.survivors().len(), 1);
}

#[test]
fn are_seen_though_they_hop() {
    let mut run = Run::start("hopper", &[]);
    assert_eq!(run.line(), "hopping");
    run.process.wait().expect("the first one exits at once");
    for _ in 0..50 {
        assert!(!run.executable.survivors().is_empty(), "it hops on, but was not seen");
    }
}

#[test]
fn are_seen_though_their_first_thread_is_gone() {
    let mut run = Run::start("headless", &[]);
    assert_eq!(run.line(), "headless");
    assert_eq!(stat(run.process.id()).map(|stat| stat.state), Some('Z'));
    assert_eq!(run.executable.survivors(), [run.process.id()]);
    run.signal(Signal::SIGKILL);
    assert!(run.executable.wait_gone(HANG).is_empty());
}

#[test]
fn are_ended_with_their_executable() {
    let mut run = Run::start("daemon", &[]);
    run.line();
    let path = run.executable.path().to_owned();
    drop(run);
    assert!(wait_gone(&path, HANG).is_empty());
}
