//! Async tests that are not awaited to their end, and one that does not start.

use std::future::{pending, poll_fn};
use std::sync::mpsc::{Sender, channel};
use std::task::Poll;

use pkit_test::{Process, Spec, output, simple, with_processes};

use super::chosen::{command, is_chosen, only};
use crate::child::ENOUGH;

#[with_processes(talker = talker(), worker = beside)]
async fn stage(beside: Spec, is_late: Sender<()>, worker: Process) {
    worker.wait().unwrap();
    is_late.send(()).unwrap();
    pending::<()>().await;
}

fn talker() -> Spec {
    output(command("banner", "'hello from the service' --newline"), "hello")
}

#[tokio::test]
async fn its_body_takes_too_long() {
    if is_chosen() {
        let (tell, is_late) = channel();
        // As at the end of a time that was enough for all of it.
        tokio::select! {
            biased;
            () = stage(simple(command("exits", "3")), tell) => {}
            () = poll_fn(|_| is_late.try_recv().map_or(Poll::Pending, Poll::Ready)) => panic!("it took too long"),
        }
    }
}

#[tokio::test]
async fn its_start_takes_too_long() {
    if is_chosen() {
        let stage = stage(output(command("banner", "up"), "never"), channel().0);
        tokio::time::timeout(ENOUGH, stage).await.expect("in time");
    }
}

#[with_processes(worker = only(|| output(command("exits", "7"), "ready")))]
#[tokio::test]
async fn does_not_start(worker: Process) {
    assert!(!is_chosen() || worker.is_alive(), "not reached");
}
