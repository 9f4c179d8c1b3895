//! The handle of a process: what it says, what it does, and what becomes of the process.

mod end;
mod tree;
mod again;
mod place;
mod callbacks;
mod threads;
