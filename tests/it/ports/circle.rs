//! Tests that hold one fixed port and wait for another.

use std::fs;
use std::sync::Barrier;
use std::thread;

use expect_test::expect;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test::{Spec, tcp};
use pkit_test_tests::left_out;

use crate::child::{Child, ENOUGH, HANG, child, wait_until};
use crate::nested::victim;
use crate::text::normalised;

fn server(slow: &Child, port: u16) -> Spec {
    tcp(slow.with("0 {port}"), port).start_timeout(HANG)
}

/// Under nextest, and where one test is asked for by its name, all threads of a process are one test, so that none can wait for
/// another test.
fn has_one_test() -> bool {
    let is_alone = std::env::args().any(|argument| argument == "--exact");
    if is_alone {
        left_out::because("the threads of this process are one test; libtest has it");
    }
    is_alone
}

/// Ports that were free a moment ago.
fn ports<const COUNT: usize>(slow: &Child) -> [u16; COUNT] {
    let held: Vec<_> = (0..COUNT).map(|_| server(slow, 0).start().unwrap()).collect();
    std::array::from_fn(|at| held[at].port())
}

/// As many tests as ports: each holds one and waits for the next one, the first of them not for long. Its error.
fn go_round<const COUNT: usize>() -> String {
    let slow = child("slow");
    let ports = ports::<COUNT>(&slow);
    let all_hold = Barrier::new(COUNT);
    thread::scope(|threads| {
        let one = |at: usize| {
            let (slow, ports, all_hold) = (&slow, &ports, &all_hold);
            move || {
                let _held = server(slow, ports[at]).start().unwrap();
                all_hold.wait();
                let next = server(slow, ports[(at + 1) % COUNT]);
                // The others get theirs when the first one has let go.
                match at {
                    0 => next.start_timeout(ENOUGH).start().unwrap_err().to_string(),
                    _ => next.start().map(|_| String::new()).unwrap(),
                }
            }
        };
        let tests: Vec<_> = (0..COUNT).map(|at| threads.spawn(one(at))).collect();
        tests.into_iter().map(|test| test.join().unwrap()).collect()
    })
}

#[test]
fn two_that_wait_for_each_other_are_told_so() {
    if has_one_test() {
        return;
    }
    expect![[r#"
        `slow` was not started: port PORT is held by another test of this process, or this one
          spec:   tcp("'CHILDREN/slow' 0 {port}", PORT)   tests/it/ports/circle.rs
          circle: that test waits for port PORT, which this test holds
          hint:   start both in one stack, or in the same order everywhere"#]]
    .assert_eq(&normalised(&go_round::<2>()));
}

#[test]
fn one_that_waits_for_itself_is_told_so() {
    let slow = child("slow");
    let [port] = ports(&slow);
    let _held = server(&slow, port).start().unwrap();
    let error = server(&slow, port).start_timeout(ENOUGH).start().unwrap_err();
    assert!(error.is_port_taken());
    expect![[r#"
        `slow` was not started: port PORT is held by this test itself
          spec:   tcp("'CHILDREN/slow' 0 {port}", PORT)   tests/it/ports/circle.rs
          hint:   drop the handle of the process that has it first, or ask for port 0, which is any free one"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn so_are_three() {
    if has_one_test() {
        return;
    }
    expect![[r#"
        `slow` was not started: port PORT is held by another test of this process, or this one
          spec:   tcp("'CHILDREN/slow' 0 {port}", PORT)   tests/it/ports/circle.rs
          circle: that test waits for port PORT, whose test waits for port PORT, which this test holds
          hint:   start both in one stack, or in the same order everywhere"#]]
    .assert_eq(&normalised(&go_round::<3>()));
}

#[test]
fn so_are_two_processes() {
    let slow = child("slow");
    let [one, other] = ports(&slow);
    let victim = victim("ports::holds_and_wants").with("slow");
    let victim = victim.env("HELD", &other.to_string()).env("WANTED", &one.to_string());
    let started = victim.file("held");
    let victim = victim.env("STARTED", &started.display().to_string());
    let held = server(&slow, one).start().unwrap();
    let theirs = thread::scope(|threads| {
        let theirs = threads.spawn(|| victim.run());
        wait_until(|| started.exists());
        // It fails first, and then lets its own port go.
        server(&slow, other).start().unwrap();
        theirs.join().unwrap()
    });
    let report = theirs.report();
    assert!(report.contains("circle: that test waits for port PORT, which this test holds"), "{report}");
    assert!(report.contains("is held by another test, pid N: "), "{report}");
    drop(held);
}

#[test]
fn a_test_that_only_waits_closes_no_circle() {
    let slow = child("slow");
    let held = server(&slow, 0).start().unwrap();
    let error = thread::scope(|threads| {
        let wants = || server(&slow, held.port()).start_timeout(ENOUGH).start().unwrap_err();
        let (one, other) = (threads.spawn(wants), threads.spawn(wants));
        [one.join().unwrap(), other.join().unwrap()]
    });
    assert!(error.iter().all(|error| error.is_port_taken() && !error.to_string().contains("circle:")), "{error:?}");
}

#[test]
fn the_port_of_a_test_that_is_killed_comes_free() {
    let slow = child("slow");
    let [port] = ports(&slow);
    let victim = victim("ports::holds_for_ever").with("slow");
    let started = victim.file("held");
    let victim = victim.env("HELD", &port.to_string()).env("STARTED", &started.display().to_string());
    thread::scope(|threads| {
        let theirs = threads.spawn(|| victim.run());
        // It is there before its id is in it.
        let mut pid = None;
        wait_until(|| {
            pid = fs::read_to_string(&started).ok().and_then(|text| text.parse().ok());
            pid.is_some()
        });
        let ours = threads.spawn(|| server(&slow, port).start());
        kill(Pid::from_raw(pid.unwrap()), Signal::SIGKILL).unwrap();
        assert!(ours.join().unwrap().is_ok());
        victim.will_be_gone(&theirs.join().unwrap());
    });
}
