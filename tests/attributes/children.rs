//! What the tests start.

use std::path::Path;
use std::time::Duration;

use pkit_test::{Process, Spec, bin, output, simple};

/// Only catches a hang.
pub(crate) const HANG: Duration = Duration::from_secs(60);

/// A process that is there until it is stopped.
pub(crate) fn sleeper() -> Spec {
    output(bin!("sleeper"), "sleeper")
}

/// A process that says one thing: what it was told by the parameters of the test.
pub(crate) fn says(what: impl std::fmt::Display) -> Spec {
    simple("echo").arg(what.to_string()).expect_exit(0)
}

/// What a process has said that was to say one thing.
pub(crate) fn said(process: &Process) -> String {
    let exit = process.wait_timeout(HANG).unwrap();
    assert!(exit.is_some_and(|exit| exit.success()), "it did not end, or not well");
    process.stdout().trim_end().to_owned()
}

/// Leaves its name in a file when it is stopped.
pub(crate) fn stops(name: &str, file: &Path) -> Spec {
    output(bin!("order").arg(name).arg(file.display().to_string()), "ready")
}
