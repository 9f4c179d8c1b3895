//! Crashes against whatever the test does at the same moment, for a second each; or for as many as `PKIT_RACE_SECONDS`
//! says.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use pkit_test::{Process, Restart, Signal, Spec, Strategy, Supervision, orchestrate, orchestrated, output};

use super::tireless;
use crate::child::{Child, HANG, child};
use crate::race::{end, random};

fn spec(child: &Child) -> Spec {
    output(child.with(""), "sleeper").supervise(tireless(Supervision::permanent()))
}

/// Does both at about the same moment.
fn at_once(one: impl FnOnce() + Send, other: impl FnOnce()) {
    let barrier = Barrier::new(2);
    thread::scope(|threads| {
        threads.spawn(|| {
            barrier.wait();
            one();
        });
        barrier.wait();
        (0..random(20_000)).for_each(|_| std::hint::spin_loop());
        other();
    });
}

fn crash(process: &Process) {
    // It may have been stopped already.
    let _ = process.signal(Signal::Kill);
}

#[test]
fn after_a_stop_nothing_comes_back() {
    let (sleeper, end) = (child("sleeper"), end());
    while Instant::now() < end {
        let process = spec(&sleeper).start().unwrap();
        let stop = [Process::stop, Process::kill, Process::terminate][random(3)];
        at_once(|| crash(&process), || stop(&process).unwrap());
        assert_eq!(sleeper.count(), 0);
        let error = process.wait_restart(process.restarts(), HANG).unwrap_err();
        assert!(error.is_state(), "{error}");
        assert_eq!((process.pid(), sleeper.count()), (None, 0));
    }
}

#[test]
fn after_a_drop_nothing_comes_back() {
    let (sleeper, end) = (child("sleeper"), end());
    while Instant::now() < end {
        let process = spec(&sleeper).start().unwrap();
        crash(&process);
        (0..random(200_000)).for_each(|_| std::hint::spin_loop());
        drop(process);
        assert_eq!(sleeper.count(), 0);
    }
}

#[test]
fn after_a_restart_it_is_up_once() {
    let (sleeper, end) = (child("sleeper"), end());
    let process = spec(&sleeper).start().unwrap();
    while Instant::now() < end {
        let before = process.restarts();
        at_once(
            || crash(&process),
            // A crash may come between its start and its being ready, or may have come before: either is said.
            || drop(process.restart([Restart::Graceful, Restart::Forced][random(2)])),
        );
        process.wait_restart(before, HANG).map(drop).or_else(|_| process.start()).unwrap();
        assert!(sleeper.count() <= 1);
    }
    process.stop().unwrap();
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn after_a_scope_nothing_comes_back() {
    let (sleeper, end) = (child("sleeper"), end());
    while Instant::now() < end {
        let strategy = [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][random(3)];
        let stack = orchestrate([("a", spec(&sleeper)), ("b", spec(&sleeper).after("a")), ("c", spec(&sleeper))]);
        let verdict = orchestrated(stack.strategy(strategy), |stack| {
            crash(&stack[["a", "b", "c"][random(3)]]);
            (0..random(200_000)).for_each(|_| std::hint::spin_loop());
        });
        assert_eq!(sleeper.count(), 0);
        verdict.unwrap();
    }
}

#[test]
fn whatever_is_done_to_members_while_they_crash_they_can_be_brought_up() {
    let (sleeper, end) = (child("sleeper"), end());
    let stack = orchestrate([("a", spec(&sleeper)), ("b", spec(&sleeper).after("a")), ("c", spec(&sleeper))]);
    let stack = stack.strategy(Strategy::OneForAll).start().unwrap();
    while Instant::now() < end {
        let (victim, member) = (&stack[["a", "b", "c"][random(3)]], stack.member(["a", "b"][random(2)]));
        at_once(
            || crash(victim),
            || match random(3) {
                0 => _ = member.stop(),
                1 => _ = member.restart(Restart::Forced),
                _ => _ = member.stopped(|| ()),
            },
        );
    }
    stack.stop().unwrap();
    assert_eq!(sleeper.count(), 0);
    stack.start().unwrap();
    assert_eq!(sleeper.count(), 3);
}
