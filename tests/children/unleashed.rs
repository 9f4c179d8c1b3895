//! Takes off the leash: the kernel is not to kill it with its parent, and nobody is to look into it.
//!
//! `unleashed`: has a child that does the same in a session of its own; both clear their death signal and are not dumpable,
//! which gives their entries in `/proc` to root. Prints `unleashed`, and pauses.

use nix::sys::prctl::{set_dumpable, set_pdeathsig};
use nix::unistd::setsid;
use pkit_test_tests::child::{Args, fail, forked, pause, say};

fn main() {
    Args::of_process().end();
    unleash();
    if forked().is_none() {
        setsid().expect("a forked child leads no group");
        unleash();
        pause();
    }
    say("unleashed");
    pause()
}

fn unleash() {
    let done = set_pdeathsig(None).and_then(|()| set_dumpable(false));
    done.unwrap_or_else(|error| fail(format_args!("prctl: {error}")));
}
