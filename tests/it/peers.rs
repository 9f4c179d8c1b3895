//! Processes that die with each other, without one being started before the other.

use std::panic::catch_unwind;

use nix::sys::signal::Signal;
use pkit_test::{Process, Spec, output, sh, with_processes};
use pkit_test_tests::process::{parent, signal_process, stat};

use crate::child::{HANG, child, wait_until};

/// Says where it is.
fn leader() -> Spec {
    output(sh("echo $$ > {dir}/pid; echo up; exec sleep 600"), "^up$")
}

/// Ends as soon as the leader has.
fn follower() -> Spec {
    let script = "until test -s {&leader.dir}/pid; do sleep 0.01; done; read pid < {&leader.dir}/pid; echo up; \
        while kill -0 $pid; do sleep 0.01; done 2>&-; exit 1";
    output(sh(script), "^up$")
}

/// The parameters are dropped from the last to the first, and the one in the middle takes its time.
#[test]
fn at_the_end_one_may_die_with_another() {
    #[with_processes(follower = follower(), polite = output(command, "ready"), leader = leader())]
    fn body(command: String, follower: Process, polite: Process, leader: Process) {
        assert!(follower.is_alive() && polite.is_alive() && leader.is_alive());
    }
    let polite = child("polite");
    body(polite.with("300"));
}

/// As on a busy machine: the service is quicker than the shim that is to hear of the end.
#[test]
fn also_where_its_shim_is_slow_to_hear_of_the_end() {
    #[with_processes(follower = follower(), polite = output(command, "ready"), leader = leader())]
    fn body(command: String, follower: Process, polite: Process, leader: Process) {
        assert!(polite.is_alive() && leader.is_alive());
        let shim = parent(follower.pid().unwrap()).unwrap();
        signal_process(shim, Signal::SIGSTOP).unwrap();
        wait_until(|| stat(shim).unwrap().state == 'T');
    }
    let polite = child("polite");
    body(polite.with("300"));
}

#[test]
fn also_where_the_body_panics() {
    #[with_processes(follower = follower(), polite = output(command, "ready"), leader = leader())]
    fn body(command: String, follower: Process, polite: Process, leader: Process) {
        assert!(!follower.is_alive() && polite.is_alive() && leader.is_alive(), "what the body says");
    }
    let polite = child("polite");
    let panic = catch_unwind(|| body(polite.with("300"))).unwrap_err();
    assert_eq!(panic.downcast_ref(), Some(&"what the body says"));
}

#[test]
fn what_a_test_drops_itself_may_surprise_another() {
    #[with_processes(follower = follower(), leader = leader())]
    fn body(follower: Process, leader: Process) {
        drop(leader);
        assert!(follower.wait_timeout(HANG).unwrap().is_some());
    }
    let panic = catch_unwind(body).unwrap_err();
    let text: &String = panic.downcast_ref().unwrap();
    assert!(text.starts_with("`follower` ended during the test, and nobody asked it to"), "{text}");
}
