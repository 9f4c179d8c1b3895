//! Hops from pid to pid: it forks and the parent exits, for ever. Who lists processes and then kills comes too late.
//!
//! `hopper [--us MICROSECONDS] [--hops N]`: stays so long in each pid (default 200), and hops for ever or `N` times
//! and then pauses. It prints `hopping` first. It ends by itself when its executable is deleted, which a test does
//! only after it has counted: a hopper that escaped would otherwise be very hard to catch.
//!
//! Each hop leaves a dead process to whoever adopts orphans, and the first process may take seconds to reap it. So one that hops
//! for ever goes on more slowly after its first thousands: else a few that have escaped use up all ids that there are.

use std::path::Path;
use std::process;

use pkit_test_tests::child::{Args, forked, pause, say, wait_us};

/// Whoever stops a hopper at all has done so long before.
const FAST_HOPS: u64 = 3000;

/// Still faster than a list of processes is read and acted upon.
const SLOW_US: u64 = 5000;

fn main() {
    let mut args = Args::of_process();
    let stay_us = args.option("--us").unwrap_or(200);
    let hops = args.option("--hops").unwrap_or(u64::MAX);
    args.end();
    let executable = std::env::current_exe().expect("procfs is mounted");
    say("hopping");
    for hop_number in 0..hops {
        hop(&executable, if hop_number < FAST_HOPS { stay_us } else { stay_us.max(SLOW_US) });
    }
    pause()
}

/// Returns in the child only.
fn hop(executable: &Path, stay_us: u64) {
    if forked().is_some() || !executable.exists() {
        process::exit(0);
    }
    wait_us(stay_us);
}
