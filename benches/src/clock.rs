//! Clocks, and the one place where time is let pass.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The clock that all processes of this machine share, in ns.
pub(crate) fn now_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// What all threads of this process have used of the CPUs so far, in ms.
pub(crate) fn cpu_ms() -> f64 {
    ms(read(ClockId::CLOCK_PROCESS_CPUTIME_ID))
}

/// How long something took, in ms, and what it gave.
pub(crate) fn timed<R>(work: impl FnOnce() -> R) -> (f64, R) {
    let began = now_ns();
    let result = work();
    (since_ms(began), result)
}

/// How long ago that was, in ms.
pub(crate) fn since_ms(began_ns: u64) -> f64 {
    ms(now_ns() - began_ns)
}

/// From one moment to another, in ms; negative if the other was first.
pub(crate) fn between_ms(from_ns: u64, to_ns: u64) -> f64 {
    (to_ns as f64 - from_ns as f64) / 1e6
}

#[expect(
    clippy::disallowed_methods,
    reason = "a boot that takes time, a loop that polls, an idle second: all are the subject here"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}

/// A boot of this many ms, and up to one more, so that the phases of nobody's pauses lock to it.
pub(crate) fn boot_us(boot_ms: u64) -> u64 {
    boot_ms * 1000 + random() % 1000
}

/// A number that differs from call to call.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn read(clock: ClockId) -> u64 {
    let time = clock_gettime(clock).expect("every system we run on has this clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}
