//! The server of a state: a function process that listens on a unix socket in its own directory.

mod buffer;
mod ids;
mod dialect;
mod link;
mod sessions;
mod teller;
mod hall;
mod serve;

pub(crate) use serve::serve;
