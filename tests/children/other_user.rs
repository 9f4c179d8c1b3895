//! Is somebody else's in the middle of its life, which also makes the kernel forget that it was to die with its parent.
//!
//! `other_user`: started as root it leaves a child in a session of its own and both become `nobody`; as anybody else it stays who
//! it is. Prints `other user` and pauses.

use nix::unistd::{Gid, Uid, setgid, setgroups, setsid, setuid};
use pkit_test_tests::child::{Args, fail, forked, pause, say};

/// Without a name for it somewhere it is nobody as well.
const NOBODY: u32 = 65_534;

fn main() {
    Args::of_process().end();
    if Uid::current().is_root() {
        let changed =
            setgroups(&[]).and_then(|()| setgid(Gid::from_raw(NOBODY))).and_then(|()| setuid(Uid::from_raw(NOBODY)));
        changed.unwrap_or_else(|error| fail(format_args!("another user: {error}")));
    }
    if forked().is_none() {
        setsid().expect("a forked child leads no group");
        pause();
    }
    say("other user");
    pause()
}
