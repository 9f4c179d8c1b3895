//! Takes every orphan for itself and buries none of the dead: its descendants never come to whoever waits for them.
//!
//! `hoarder [N]`: is a subreaper, has `N` (default 10) descendants that have lost their parents and are dead, and as many that
//! live, each in a session of its own; reaps nobody, prints `hoarding` and pauses, deaf to SIGTERM.

use std::process;

use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::Signal::SIGTERM;
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, pipe, read, setsid, write};
use pkit_test_tests::child::{Args, fail, forked, ignore, pause, say};

fn main() {
    let mut args = Args::of_process();
    let count = args.word_if_any("N").unwrap_or(10);
    args.end();
    set_child_subreaper(true).unwrap_or_else(|error| fail(format_args!("subreaper: {error}")));
    ignore(&[SIGTERM]);
    for _ in 0..count {
        keep_dead(orphan(|| process::exit(0)));
        orphan(|| pause());
    }
    say("hoarding");
    pause()
}

/// Forks a child that forks `live` and ends: what lives is then ours. Returns the pid of the one in between.
fn orphan(live: fn() -> !) -> Pid {
    let (reader, writer) = pipe().unwrap_or_else(|error| fail(format_args!("pipe: {error}")));
    let Some(between) = forked() else {
        setsid().expect("a forked child leads no group");
        if forked().is_none() {
            setsid().expect("a forked child leads no group");
            write(&writer, &[0]).expect("the hoarder reads");
            live();
        }
        process::exit(0)
    };
    read(&reader, &mut [0]).expect("there is a byte, or an end");
    between
}

/// Waits until it is dead, and leaves it where it is.
fn keep_dead(child: Pid) {
    waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("it is our child");
}
