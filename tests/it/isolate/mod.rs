//! Processes with ids of their own, and tests with a network of their own.

use std::path::PathBuf;

use nix::unistd::geteuid;
use pkit_test::{Isolation, simple};
use pkit_test_tests::left_out;

mod net;
mod pids;
mod rights;

/// Whether this system allows it to this user. Where it does not the test is left out, and the error says why.
fn may(isolation: Isolation) -> bool {
    if isolation == Isolation::Net && !geteuid().is_root() {
        // Those who may by a user namespace have tests of their own, in `rights`.
        left_out::because("who is not root has no way back from a network");
        return false;
    }
    match simple("true").may_exit().isolate(isolation).start() {
        Ok(_) => true,
        Err(error) => {
            assert!(error.to_string().contains("\n  denied: "), "{error}");
            left_out::because(error);
            false
        }
    }
}

/// The network in which the calling thread is.
pub(crate) fn place_of_thread() -> PathBuf {
    std::fs::read_link("/proc/thread-self/ns/net").expect("it is in one")
}
