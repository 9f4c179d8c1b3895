//! Ends by itself, before anybody could call it ready.
//!
//! `exits [CODE] [--signal NAME] [--ms MS] [--say TEXT]`: writes `TEXT` to stderr as a line, waits `MS`, and exits with
//! `CODE` (default 0), or dies by the signal (`SIGKILL`, …).

use std::process;

use nix::sys::signal::{SigHandler, Signal, raise, signal};
use pkit_test_tests::child::{Args, fail, wait_ms};

fn main() {
    let mut args = Args::of_process();
    let deadly = args.option::<Signal>("--signal");
    let life_ms = args.option("--ms").unwrap_or(0);
    let last_words = args.option::<String>("--say");
    let code = args.word_if_any("CODE").unwrap_or(0);
    args.end();

    if let Some(text) = last_words {
        eprintln!("{text}");
    }
    wait_ms(life_ms);
    if let Some(deadly) = deadly {
        die_of(deadly);
    }
    process::exit(code)
}

fn die_of(deadly: Signal) {
    if deadly != Signal::SIGKILL {
        // Rust's runtime handles some signals itself.
        // SAFETY: the default action is no code of this process.
        unsafe { signal(deadly, SigHandler::SigDfl) }.expect("the signal can be set");
    }
    raise(deadly).expect("it is a signal");
    fail(format_args!("{deadly} does not kill"));
}
