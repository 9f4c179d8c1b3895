//! Async tests that are not awaited to their end, and one that does not start.

use std::future::pending;

use pkit_test::{Process, Spec, output, simple, with_processes};

use super::chosen::{command, is_chosen, only};
use crate::child::ENOUGH;

#[with_processes(talker = talker(), worker = beside)]
async fn stage(beside: Spec, worker: Process) {
    worker.wait().unwrap();
    pending::<()>().await;
}

fn talker() -> Spec {
    output(command("banner", "'hello from the service' --newline"), "hello")
}

#[tokio::test]
async fn its_body_takes_too_long() {
    if is_chosen() {
        tokio::time::timeout(ENOUGH, stage(simple(command("exits", "3")))).await.expect("in time");
    }
}

#[tokio::test]
async fn its_start_takes_too_long() {
    if is_chosen() {
        tokio::time::timeout(ENOUGH, stage(output(command("banner", "up"), "never"))).await.expect("in time");
    }
}

#[with_processes(worker = only(|| output(command("exits", "7"), "ready")))]
#[tokio::test]
async fn does_not_start(worker: Process) {
    assert!(!is_chosen() || worker.is_alive(), "not reached");
}
