//! What `/proc` says about processes.
//!
//! Every answer is about a moment that is over. A process may be gone, or its id may be another's, before the
//! caller reads on: so what has vanished is simply not there, and nothing here decides whom to signal. There is one who has
//! nothing else to go by, the janitor: it holds a pidfd before it asks, so that the answer is about the process that it signals,
//! or about nobody.

use std::ffi::OsString;

use nix::unistd::{Pid, getsid};

mod walk;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

/// Who a process is, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kin {
    pub(crate) pid: i32,
    /// 0 where that cannot be seen from here.
    pub(crate) parent: i32,
    pub(crate) session: i32,
    /// With the id this means one process and no later one.
    pub(crate) birth: u64,
    /// That it has given itself, or the beginning of that of its program.
    pub(crate) name: String,
}

/// The variables that a process was given.
pub(crate) fn variables(pid: i32) -> Option<Vec<(OsString, OsString)>> {
    Some(walk::variables(&environment(pid)?))
}

/// The session of a process, wherever it is known at all: no system asks for a right to this.
pub(crate) fn session(pid: i32) -> Option<i32> {
    // 0 would be ourselves.
    let process = Some(Pid::from_raw(pid)).filter(|pid| pid.as_raw() > 0)?;
    getsid(Some(process)).ok().map(Pid::as_raw)
}

#[cfg(test)]
mod tests;
