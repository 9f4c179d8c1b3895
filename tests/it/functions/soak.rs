//! The same for long: nothing grows. For 5 s, or for as many as `PKIT_SOAK_SECONDS` says.

use std::env;
use std::process;
use std::time::{Duration, Instant};

use pkit_test::{Worker, function, simple};
use pkit_test_tests::child::pause;

use super::uses::{Uses, memory_kb};
use crate::alone::alone;

const SOAK_SECONDS: &str = "PKIT_SOAK_SECONDS";

/// Before anything is compared: allocators find their size, and tables theirs.
const WARM_UP: usize = 200;

/// Tables and allocators have found their size after some thousand starts. A hundred bytes a start would be a leak, and would show
/// where there are tens of thousands.
const SLACK_KB: u64 = 512;

fn panics(n: usize) {
    panic!("{n}")
}

fn waits(_: usize) {
    pause()
}

fn aborts(_: usize) {
    process::abort()
}

fn exits(_: usize) {
    process::exit(4)
}

/// One start of each kind in turn.
fn turn(worker: &Worker<usize>, index: usize) {
    let start = |f: fn(usize)| function(f, index).env("RUST_BACKTRACE", "0").start().unwrap();
    match index % 8 {
        0 => assert_eq!(worker.call((index, "x".repeat(10_000))).unwrap(), index),
        1 => assert!(start(panics).join().unwrap_err().is_panic()),
        2 => drop(start(waits)),
        3 => assert!(start(aborts).join().unwrap_err().is_signal()),
        4 => assert_eq!(start(exits).wait().unwrap().code(), Some(4)),
        5 => assert_eq!(function(|| "x".repeat(1 << 16), ()).start().unwrap().join().unwrap().len(), 1 << 16),
        6 => start(waits).kill().unwrap(),
        _ => assert_eq!(worker.call((index, String::new())).unwrap(), index),
    }
}

#[test]
fn nothing_grows() {
    alone(|| {
        let seconds = env::var(SOAK_SECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(5);
        let worker = function(|n: usize, _: String| n, (0, String::new())).start().unwrap();
        worker.join().unwrap();
        let idle = simple("sleep 3600").start().unwrap();
        (0..WARM_UP).for_each(|index| turn(&worker, index));
        let (before, before_kb) = (Uses::settled(1), memory_kb());
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut starts = WARM_UP;
        while Instant::now() < end {
            turn(&worker, starts);
            starts += 1;
        }
        let (after, after_kb) = (Uses::settled_again(&before), memory_kb());
        eprintln!("{starts} starts, {before_kb:?} KB before and {after_kb:?} KB after, {after:?}");
        assert!(after.is_no_more_than(&before), "after {starts} starts {after:?} instead of {before:?}");
        let grown = after_kb.into_iter().zip(before_kb).map(|(after, before)| after.saturating_sub(before));
        let grown: Vec<u64> = grown.collect();
        assert!(grown.iter().all(|kb| *kb <= SLACK_KB), "test and guardian grew by {grown:?} KB in {starts} starts");
        assert!(idle.is_alive());
    });
}
