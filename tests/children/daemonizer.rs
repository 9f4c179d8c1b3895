//! Becomes a daemon, as servers of old do: the leader exits 0, and what serves is a grandchild in its own session.
//!
//! `daemonizer PORT [--ms MS] [--early]`: the grandchild waits `MS` and listens on `PORT`; the leader exits when it
//! listens, or with `--early` at once, so that for a while there is neither a leader nor a listener.

use std::process;

use pkit_test_tests::child::daemon::detached;
use pkit_test_tests::child::{Args, listen, serve_http, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let boot_ms = args.option("--ms").unwrap_or(0);
    let early = args.flag("--early");
    let port = args.word("PORT");
    args.end();
    detached(move |unsettled| {
        let held = (!early).then_some(unsettled); // An early one is settled before it has begun.
        wait_ms(boot_ms);
        let listener = listen("127.0.0.1", port);
        drop(held);
        serve_http(&listener, |_| (200, "ok\n".into()))
    });
    process::exit(0)
}
