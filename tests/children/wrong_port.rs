//! Listens, but not where it was told to.
//!
//! `wrong_port PORT`: listens on some free port of 127.0.0.1 instead, and prints `listening on ADDRESS`.
//! `wrong_port PORT --v6`: listens on the right port, but of `[::1]` only.

use pkit_test_tests::child::{Args, listen, pause, say};

fn main() {
    let mut args = Args::of_process();
    let only_v6 = args.flag("--v6");
    let port = args.word("PORT");
    args.end();
    let listener = if only_v6 { listen("::1", port) } else { listen("127.0.0.1", 0) };
    say(format_args!("listening on {}", listener.local_addr().expect("it is bound")));
    pause()
}
