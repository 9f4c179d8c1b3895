//! The budgets of pkit-test, each measured beside the raw system call or the peer, in one run.
//!
//! Machines differ and are busy, so a figure alone says little. Each sample of ours is therefore followed by one of the
//! peer, and the comparison is that of the pairs. A budget that is not met is said, and is no error: what takes time
//! must never be a test.

// In reading order, from what the caller sees down to the operating system.
mod run;
mod arguments;
mod rows;
mod children;
mod bench;
mod roles;
mod peers;
mod simple;
mod raw;
mod table;
mod stats;
mod stamps;
mod procfs;
mod clock;
mod outcome;
mod sys;

pub use run::{bench_main, main};
