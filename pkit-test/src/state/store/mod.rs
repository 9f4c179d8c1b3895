//! What a state is, without sockets, threads or a clock: requests go in, answers come out, at a time that the caller says.
//!
//! So everything that the server can be asked, and everyone who can die while it waits for the answer, is tested in one thread
//! and in any order. Whoever carries the answers (`server`, or a test) gives out the numbers of links and sessions.

mod machine;
mod sessions;
mod park;
mod bounds;
mod spaces;
mod number;
mod change;
mod commit;
mod turn;
mod watches;
mod until;
mod watch;
mod meet;
mod history;
mod facts;
mod words;
#[cfg(test)]
mod tests;

pub(crate) use machine::Store;
#[cfg(test)]
pub(crate) use sessions::LinkId;
pub(crate) use sessions::SessionId;
