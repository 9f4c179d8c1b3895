//! Namespaces of the kernel: a tree with process ids of its own, a thread in a network of its own, and the user namespace
//! that gives the right to both to those who are not root.
//!
//! A system without namespaces refuses each of them with an error of the same function.

use std::io;

#[cfg(target_os = "linux")]
mod capability;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod pids;
#[cfg(target_os = "linux")]
mod users;
#[cfg(target_os = "linux")]
pub(crate) use {linux::*, pids::*, users::*};

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

/// The setting that lets a test binary begin in a user namespace of its own. It is read before `main`: in a process that
/// has threads it would be too late.
pub(crate) const USER_NAMESPACE: &str = "PKIT_USER_NAMESPACE";

/// What was refused, in the words of the system.
#[derive(Debug)]
pub(crate) struct Refusal {
    pub(crate) call: &'static str,
    pub(crate) error: io::Error,
}

/// What became of the setting before `main`.
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody can enter one there"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UserNamespace {
    /// Nobody asked, or it is not needed.
    None,
    Entered,
    Refused {
        call: &'static str,
        errno: i32,
    },
}

/// Whether a value of the setting asks for it.
pub(crate) fn is_asked(value: Option<&str>) -> bool {
    value.is_some_and(|value| !value.is_empty() && value != "0")
}
