//! macOS and the rest: no reapers and no death signals.
//!
//! Orphans are looked for (`sys/strays.rs`), also those that a killed shim leaves.

use std::io;
use std::os::unix::ffi::OsStringExt;

/// Orphans go to PID 1 here.
pub(crate) fn become_subreaper() -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "orphans go to PID 1 on this system"))
}

/// Nobody kills descendants in one call.
pub(crate) fn kill_descendants() {}

/// Nothing does this here: the service of a killed shim is found by the guardian.
#[expect(clippy::unnecessary_wraps, reason = "it can fail where there is such a means")]
pub(crate) fn die_with_parent() -> io::Result<()> {
    Ok(())
}

pub(crate) fn wake_with_parent() {}

/// The arguments of this process, each with a zero behind it.
pub(crate) fn own_command_line() -> Vec<u8> {
    let end = |mut argument: Vec<u8>| {
        argument.push(0);
        argument
    };
    std::env::args_os().flat_map(|argument| end(argument.into_vec())).collect()
}
