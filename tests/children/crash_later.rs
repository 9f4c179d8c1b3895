//! Is up and well, and crashes later.
//!
//! `crash_later PORT [--ms MS] [--code CODE]`: listens on `PORT` (0: on none), prints `up`, and after `MS`, or without
//! `--ms` upon the first byte on stdin, exits with `CODE`, or without `--code` aborts. At the end of stdin it pauses.

use std::io::{self, Read as _};
use std::process;

use pkit_test_tests::child::{Args, listen, pause, say, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let life_ms = args.option("--ms");
    let code = args.option("--code");
    let port = args.word("PORT");
    args.end();
    let _listener = (port != 0).then(|| listen("127.0.0.1", port));
    say("up");
    match life_ms {
        Some(ms) => wait_ms(ms),
        None => wait_for_byte(),
    }
    match code {
        Some(code) => process::exit(code),
        None => process::abort(),
    }
}

fn wait_for_byte() {
    if !matches!(io::stdin().read(&mut [0]), Ok(1)) {
        pause();
    }
}
