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
        let (between, dead) = orphan(|| process::exit(0));
        keep_dead(between);
        // Ours since then.
        keep_dead(dead);
        keep_dead(orphan(|| pause()).0);
    }
    say("hoarding");
    pause()
}

/// Forks a child that forks `live` and ends: what lives is then ours. Returns the pids of the one in between and of that.
fn orphan(live: fn() -> !) -> (Pid, Pid) {
    let (reader, writer) = pipe().unwrap_or_else(|error| fail(format_args!("pipe: {error}")));
    let Some(between) = forked() else {
        setsid().expect("a forked child leads no group");
        if forked().is_none() {
            setsid().expect("a forked child leads no group");
            write(&writer, &Pid::this().as_raw().to_ne_bytes()).expect("the hoarder reads");
            live();
        }
        process::exit(0)
    };
    let mut pid = [0; 4];
    read(&reader, &mut pid).expect("it says who it is");
    (between, Pid::from_raw(i32::from_ne_bytes(pid)))
}

/// Waits until it is dead, and leaves it where it is.
fn keep_dead(child: Pid) {
    waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT).expect("it is our child");
}
