//! Forks many children, which outlive it if only it is killed.
//!
//! `forks [N] [--setsid]`: `N` (default 100) children pause, with `--setsid` each in a session of its own; prints
//! `forked N` when all of them are there, and pauses.

use std::os::fd::OwnedFd;

use nix::unistd::{pipe, read, setsid, write};
use pkit_test_tests::child::{Args, fail, forked, pause, say};

fn main() {
    let mut args = Args::of_process();
    let own_session = args.flag("--setsid");
    let count = args.word_if_any("N").unwrap_or(100);
    args.end();
    let (reader, writer) = pipe().unwrap_or_else(|error| fail(format_args!("pipe: {error}")));
    for _ in 0..count {
        if forked().is_none() {
            live(&writer, own_session);
        }
    }
    for _ in 0..count {
        read(&reader, &mut [0]).expect("each child writes a byte");
    }
    say(format_args!("forked {count}"));
    pause()
}

fn live(writer: &OwnedFd, own_session: bool) -> ! {
    if own_session {
        setsid().expect("a forked child leads no group");
    }
    write(writer, &[0]).expect("the parent reads");
    pause()
}
