//! A test that dies and leaves a fork of itself, which holds all that it held.

use std::process;
use std::time::Instant;

use nix::sys::signal::{Signal, raise};
use nix::unistd::{ForkResult, fork};
use pkit_test::{output, simple};
use pkit_test_tests::child::wait_ms;
use pkit_test_tests::process::stat;

use super::chosen::{command, is_chosen};
use super::lost::others_rest;
use crate::child::{HANG, wait_until};

#[test]
fn starts_something() {
    if is_chosen() {
        assert!(output(command("sleeper", ""), "sleeper").start().unwrap().is_alive());
    }
}

#[test]
fn starts_what_hops() {
    if is_chosen() {
        let process = simple(command("hopper", "")).may_exit().start().unwrap();
        let _ = process.wait_for_output("hopping", HANG);
        process.kill().unwrap();
    }
}

#[test]
fn dies_while_a_fork_holds_its_socket() {
    if !is_chosen() {
        return;
    }
    let process = output(command("sleeper", ""), "sleeper").start().unwrap();
    let pid = process.pid().unwrap();
    wait_until(others_rest);
    // SAFETY: the child takes no lock that another thread of ours may hold, but that of the allocator, which looks after
    // itself at a fork.
    match unsafe { fork() }.unwrap() {
        ForkResult::Parent { .. } => raise(Signal::SIGKILL).unwrap(),
        ForkResult::Child => {
            let deadline = Instant::now() + HANG;
            while stat(pid).is_some_and(|stat| stat.state != 'Z') && Instant::now() < deadline {
                wait_ms(1);
            }
            let has_ended = Instant::now() < deadline;
            eprintln!("{}", if has_ended { "the fork saw its end" } else { "it outlived the test" });
            // Not by the ordinary end, which is the test's.
            std::mem::forget(process);
            process::abort();
        }
    }
}
