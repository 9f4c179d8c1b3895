//! Processes with ids of their own, and tests with a network of their own.

mod net;
mod pids;
