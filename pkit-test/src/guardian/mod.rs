//! The guardian: the process that owns what we start and outlives the test.
//!
//! ```text
//! test ── control socket ── guardian ── socket pair ── shim ── service and all that descends from it
//! ```
//!
//! [`client`] is the test's side, [`server`] the guardian's, [`shim`] the parent of one service. [`lease`] is the way to the guardian
//! of something that is shared, through the [`broker`] of the run. [`home`] is the directory of a run,
//! [`registry`] what is written in it for the [`janitor`] of a later one.

pub(crate) mod broker;
pub(crate) mod client;
pub(crate) mod home;
mod janitor;
pub(crate) mod lease;
pub(crate) mod protocol;
mod registry;
#[cfg(any(test, pkit_fuzz))]
pub(crate) use registry::rewritten;
pub(crate) mod report;
pub(crate) mod run;
pub(crate) mod server;
pub(crate) mod shim;
pub(crate) mod stopping;
pub(crate) mod wire;

/// The name of a shim in `ps` and `top`.
pub(crate) const SHIM_NAME: &std::ffi::CStr = c"pkit-shim";

crate::sys::takeover::before_main!(server::main, broker::server::main);
