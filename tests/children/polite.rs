//! Does what it is told: says goodbye and leaves.
//!
//! `polite [MS] [--signal NAME] [--code CODE]`: prints `ready`; on SIGTERM (or `NAME`) prints `bye`, waits `MS`
//! (default 0) and exits with `CODE` (default 0).

use std::process;

use nix::sys::signal::Signal;
use pkit_test_tests::child::{Args, awaited, say, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let signal = args.option("--signal").unwrap_or(Signal::SIGTERM);
    let code = args.option("--code").unwrap_or(0);
    let linger_ms = args.word_if_any("MS").unwrap_or(0);
    args.end();
    let stop = awaited(signal);
    say("ready");
    stop.wait().expect("the set is not empty");
    say("bye");
    wait_ms(linger_ms);
    process::exit(code)
}
