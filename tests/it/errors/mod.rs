//! Every way to go wrong has a text of its own, the same at every run, and leaves nothing.

mod check;
mod spec;
mod name;
mod program;
mod start;
mod port;
