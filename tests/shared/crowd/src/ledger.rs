//! The file to which everybody appends a line about what happens.

use std::env;
use std::fmt::Display;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::process;

use pkit_test_tests::child::monotonic_ns;

/// Appends a line: when, what happened, to whom, in which process, and more.
///
/// # Panics
///
/// When it cannot be written: a start that is not counted would be a lie.
pub fn note(happened: &str, whom: &str, more: impl Display) {
    let line = format!("{} {happened} {whom} {} {more}\n", monotonic_ns(), process::id());
    // One write, so that lines do not mix.
    let opened = OpenOptions::new().append(true).create(true).open(place());
    opened.and_then(|mut file| file.write_all(line.as_bytes())).expect("the ledger can be written");
}

/// A file beside the ledger.
pub(crate) fn beside(name: &str) -> PathBuf {
    place().with_file_name(name)
}

fn place() -> PathBuf {
    env::var_os("CROWD_LEDGER").expect("the tests of sharing run this, nobody else does").into()
}
