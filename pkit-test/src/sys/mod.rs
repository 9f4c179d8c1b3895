//! The operating system, behind functions with one purpose each.
//!
//! All `unsafe` and all questions about the platform are below this module. What a system other than Linux cannot
//! do is an `Unsupported` error of the same function in [`platform`], never a missing name.

pub(crate) mod bell;
pub(crate) mod child;
pub(crate) mod diag;
pub(crate) mod directory;
pub(crate) mod fd;
pub(crate) mod fresh;
pub(crate) mod held;
pub(crate) mod identity;
pub(crate) mod letterbox;
pub(crate) mod likeness;
pub(crate) mod lock;
pub(crate) mod namespace;
pub(crate) mod peer;
pub(crate) mod pipe;
pub(crate) mod platform;
pub(crate) mod procfs;
pub(crate) mod random;
pub(crate) mod room;
pub(crate) mod slate;
pub(crate) mod socket;
pub(crate) mod strays;
pub(crate) mod takeover;
pub(crate) mod term;
pub(crate) mod user;
pub(crate) mod wait;
pub(crate) mod watch;
pub(crate) mod without;
