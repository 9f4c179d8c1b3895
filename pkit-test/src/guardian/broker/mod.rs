//! The broker: who has what is shared in a run, from its first lease to the end of the run.
//!
//! ```text
//! runner (cargo, nextest)
//! ├─ test ── lease ──┐
//! ├─ test ── lease ──┤
//! └─ test ── lease ──┴─ broker ─┬─ guardian of one instance ─┬─ shim ── service
//!                               │                            └─ shim ── service
//!                               └─ guardian of another
//! ```
//!
//! It is a process of its own, whose owner is the runner, and has a guardian for each instance, whose owner it is. So whatever
//! dies, somebody is there who notices: a lease is a connection, and ends with whoever has it.

pub(crate) mod directory;
mod machine;
#[cfg(any(test, pkit_fuzz))]
pub(crate) use machine::played;
pub(crate) mod protocol;
mod relay;
pub(crate) mod server;

/// No kind of a word is so large.
#[cfg(any(test, pkit_fuzz))]
pub(crate) const LAST_KIND: u8 = protocol::FIRST_WORD + 32;
