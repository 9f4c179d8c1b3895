//! Does not listen to anybody: only SIGKILL ends it.
//!
//! `deaf [PORT]`: ignores SIGTERM, SIGINT, SIGHUP and SIGQUIT, listens on `PORT` if there is one, prints `deaf`.

use nix::sys::signal::Signal::{SIGHUP, SIGINT, SIGQUIT, SIGTERM};
use pkit_test_tests::child::{Args, ignore, listen, pause, say};

fn main() {
    let mut args = Args::of_process();
    let port = args.word_if_any("PORT");
    args.end();
    ignore(&[SIGTERM, SIGINT, SIGHUP, SIGQUIT]);
    let _listener = port.map(|port| listen("127.0.0.1", port));
    say("deaf");
    pause()
}
