//! `#[serial]` waits inside of what it makes of the function, so that below it the processes would start before the wait.

use pkit_test::{Process, simple, with_processes};
use serial_test::{parallel, serial};

/// Two tests would have their processes up at the same time.
#[serial]
#[with_processes(db = simple("a"))]
#[test]
fn below_serial() {}

/// The same.
#[serial_test::serial(name)]
#[with_processes(db = simple("b"))]
#[test]
fn with_parameter(db: Process) {
    drop(db);
}

/// The same.
#[parallel]
#[with_processes(db = simple("c"))]
#[test]
fn below_parallel() {}
