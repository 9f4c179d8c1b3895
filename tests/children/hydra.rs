//! Grows another head for each that is asked to go: upon SIGTERM it forks, and stays.
//!
//! `hydra [--heads N]`: ignores whatever can be ignored and prints `hydra`. Upon SIGTERM each of its processes has a child in a
//! session of its own that does the same, until they are `N` generations (default 5, which are 32 heads).

use nix::sys::signal::SigSet;
use nix::sys::signal::Signal::{
    SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPIPE, SIGPROF, SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU, SIGUSR1, SIGUSR2,
    SIGVTALRM, SIGXCPU, SIGXFSZ,
};
use nix::unistd::setsid;
use pkit_test_tests::child::{Args, awaited, forked, ignore, pause, say};

fn main() {
    let mut args = Args::of_process();
    let heads = args.option("--heads").unwrap_or(5);
    args.end();
    ignore(&[
        SIGALRM, SIGHUP, SIGINT, SIGIO, SIGPIPE, SIGPROF, SIGQUIT, SIGTTIN, SIGTTOU, SIGTSTP, SIGUSR1, SIGUSR2,
        SIGVTALRM, SIGXCPU, SIGXFSZ,
    ]);
    let asked = awaited(SIGTERM);
    say("hydra");
    grow(&asked, heads);
    pause()
}

fn grow(asked: &SigSet, generations: u32) {
    for left in (0..generations).rev() {
        asked.wait().expect("the set is not empty");
        if forked().is_none() {
            setsid().expect("a forked child leads no group");
            return grow(asked, left);
        }
    }
}
