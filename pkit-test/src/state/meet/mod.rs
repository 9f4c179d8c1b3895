//! Where processes meet: to begin at the same time, to take turns, to hand something over, to be walked step by step.

mod barrier;
mod latch;
mod semaphore;
mod counter;
mod queue;
mod phase;
mod point;

pub use barrier::Barrier;
pub use counter::Counter;
pub use latch::Latch;
pub use phase::Phase;
pub use queue::{Leased, Queue};
pub use semaphore::{Permit, Semaphore};
