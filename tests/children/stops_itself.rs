//! Stops itself: a stopped process does not act on SIGTERM until somebody continues it.
//!
//! `stops_itself [PORT]`: listens on `PORT` if there is one, prints `stopping`, raises SIGSTOP, and once it is
//! continued prints `continued` and pauses.

use nix::sys::signal::{Signal, raise};
use pkit_test_tests::child::{Args, listen, pause, say};

fn main() {
    let mut args = Args::of_process();
    let port = args.word_if_any("PORT");
    args.end();
    let _listener = port.map(|port| listen("127.0.0.1", port));
    say("stopping");
    raise(Signal::SIGSTOP).expect("it is a signal");
    say("continued");
    pause()
}
