//! Does what it is told: says goodbye and leaves.
//!
//! `polite [MS] [--signal NAME] [--code CODE] [--until FILE]`: prints `ready`; on SIGTERM (or `NAME`) prints `bye`, waits
//! `MS` (default 0), and until `FILE` is there if one is named, and exits with `CODE` (default 0).

use std::path::{Path, PathBuf};
use std::process;

use nix::sys::signal::Signal;
use pkit_test_tests::child::{Args, awaited, say, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let signal = args.option("--signal").unwrap_or(Signal::SIGTERM);
    let code = args.option("--code").unwrap_or(0);
    let until: Option<PathBuf> = args.option("--until");
    let linger_ms = args.word_if_any("MS").unwrap_or(0);
    args.end();
    let stop = awaited(signal);
    say("ready");
    stop.wait().expect("the set is not empty");
    say("bye");
    wait_ms(linger_ms);
    while until.as_deref().is_some_and(|file: &Path| !file.exists()) {
        wait_ms(1);
    }
    process::exit(code)
}
