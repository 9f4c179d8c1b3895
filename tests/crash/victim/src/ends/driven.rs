//! Tests that need a driver: it does something to them, or to their runner.

use std::io::{self, Read as _};
use std::os::unix::process::parent_id;

use pkit_test::Restart;
use pkit_test_tests::child::{pause, wait_ms};
use victim::{say, up};

/// Is killed at any moment of its start, or when it is up.
#[test]
fn starts() {
    let _both = up();
    pause()
}

/// Is killed at any moment of its end, or all but it are.
#[test]
fn stops() {
    let both = up();
    wait_until_told();
    say("stopping");
    drop(both);
}

/// Is killed at any moment of a restart.
#[test]
fn restarts() {
    let (a, b) = up();
    wait_until_told();
    say("restarting");
    loop {
        // What has lost its guardian is an error, and the test is about to be killed.
        let restarted = a.restart(Restart::Graceful).and_then(|()| b.restart(Restart::Forced));
        restarted.unwrap_or_else(|_| pause());
    }
}

/// Ends when its runner does.
#[test]
fn outlives_its_runner() {
    let runner = parent_id();
    let _both = up();
    while parent_id() == runner {
        wait_ms(5);
    }
}

/// The driver then knows who is who.
fn wait_until_told() {
    io::stdin().read_exact(&mut [0]).expect("the driver says a byte");
}
