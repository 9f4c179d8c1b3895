//! The simplest process there is, started by either side.

use std::io;
use std::process::Command;

use pkit_test::Spec;

use crate::raw::Raw;

/// It ends by itself, should all else fail.
const PROGRAM: &str = "sleep";
const SECONDS: &str = "300";

/// By pkit-test.
pub(crate) fn ours() -> Spec {
    pkit_test::simple(PROGRAM).arg(SECONDS)
}

/// By hand.
pub(crate) fn raw() -> io::Result<Raw> {
    Raw::spawn(&mut command())
}

/// By whoever takes a command.
pub(crate) fn command() -> Command {
    let mut command = Command::new(PROGRAM);
    command.arg(SECONDS);
    command
}
