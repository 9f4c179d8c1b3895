//! One state that several processes share, change atomically, wait on, and meet at.

#[expect(clippy::module_inception, reason = "the handle has the name of what it stands for, as everywhere")]
mod state;
mod values;
mod update;
mod outcome;
mod transaction;
mod snapshot;
mod waiting;
mod watch;
mod meet;
mod party;
mod run;
mod attempt;
mod turn;
mod feed;
mod value;
mod trouble;
mod executor;
mod life;
mod gate;
mod remembered;
mod backend;
mod client;
mod own;
mod named;
mod socket;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod conformance;
mod server;
mod wire;
mod json;
mod packed;
mod protocol;
mod store;

pub use executor::{StateSpec, state};
pub use meet::{Barrier, Counter, Latch, Leased, Permit, Phase, Queue, Semaphore};
pub use outcome::Outcome;
pub use party::Party;
pub use snapshot::Snapshot;
pub use state::State;
pub use transaction::Transaction;
pub use watch::{Change, Watch};

/// What the fuzzer calls.
#[cfg(any(test, pkit_fuzz))]
pub(crate) mod fuzzed {
    pub(crate) use super::json::{reply, request};
    pub(crate) use super::packed::{after_value, from_json, is_same, shown, to_json};
    pub(crate) use super::protocol::{Held, Reply, Value, Who};
}
