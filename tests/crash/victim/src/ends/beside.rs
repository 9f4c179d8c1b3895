//! Tests of one process at the same time, as libtest runs them: one ends, and takes the others along.

use std::sync::atomic::{AtomicU32, Ordering};

use nix::sys::signal::Signal;
use pkit_test_tests::child::{pause, wait_ms};
use victim::{die_of, up};

static UP: AtomicU32 = AtomicU32::new(0);

fn is_up() {
    let _both = up();
    UP.fetch_add(1, Ordering::Relaxed);
    pause()
}

#[test]
fn one_pauses() {
    is_up();
}

#[test]
fn another_pauses() {
    is_up();
}

#[test]
fn the_third_is_killed() {
    let _both = up();
    while UP.load(Ordering::Relaxed) < 2 {
        wait_ms(1);
    }
    die_of(Signal::SIGKILL)
}
