//! What a process writes and reads.

mod capture;
mod wait;
mod flood;
mod stdin;
mod log;
