//! Where processes meet, and what becomes of that when one of them is gone.

mod barrier;
mod latch;
mod semaphore;
mod queue;
mod phase;
#[expect(clippy::module_inception, reason = "it is all of them")]
mod meet;
#[cfg(test)]
mod check;

pub(super) use meet::Meet;
