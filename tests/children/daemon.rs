//! Leaves a daemon behind: double fork, a session of its own, no descriptor open, deaf to SIGTERM.
//!
//! `daemon`: prints `daemon PID` when the daemon has left, and stays. Whoever kills the process, its group or its
//! session does not reach the daemon, and its pipes do not tell of it either.

use nix::sys::signal::Signal::{SIGHUP, SIGTERM};
use pkit_test_tests::child::daemon::{Unsettled, close_all, detached};
use pkit_test_tests::child::{Args, ignore, pause, say};

fn main() {
    Args::of_process().end();
    let pid = detached(live);
    say(format_args!("daemon {pid}"));
    pause()
}

fn live(_unsettled: Unsettled) {
    ignore(&[SIGTERM, SIGHUP]);
    close_all();
    pause()
}
