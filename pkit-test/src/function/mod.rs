//! A function of the test as a process of its own.
//!
//! On the side of the test: what can be called ([`callable`], [`task`]), what it is called with ([`codec`]), and what is said
//! when it has not returned ([`failure`]). In the process: where it begins ([`enter`]), what it can ask ([`current`]), and how it
//! hears that it is to end ([`terminate`]). One that hands nothing back is an [`errand`].
//!
//! What is built from it: several at once ([`workers`]), and processes that run one call after the other ([`pool`]).

mod callable;
mod task;
mod failure;
pub(crate) mod codec;
mod current;
mod inside;
mod panics;
mod terminate;
mod enter;
mod errand;
mod worker;
mod workers;
mod pool;

pub use callable::Callable;
pub(crate) use callable::encode;
pub use current::{Current, Peer, current, try_current};
pub(crate) use errand::callee_of_errand;
pub use failure::Failure;
pub use pool::{Map, Pool, PoolSpec, Ticket, pool};
pub use task::Task;
pub use worker::{Worker, function, task};
pub use workers::{Workers, workers};
