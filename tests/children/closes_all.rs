//! Closes every descriptor that it was given, so that no end of a pipe tells of it.
//!
//! `closes_all`: prints `closing`, closes all descriptors, standard streams included, and pauses.

use pkit_test_tests::child::daemon::close_all;
use pkit_test_tests::child::{Args, pause, say};

fn main() {
    Args::of_process().end();
    say("closing");
    close_all();
    pause()
}
