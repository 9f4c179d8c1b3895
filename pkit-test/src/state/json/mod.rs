//! The dialect for programs in other languages: a JSON object in a line asks, and one in a line answers.
//!
//! It says the same as the frames of the Rust clients, word for word, so that a program in a shell or in Python is one client among
//! others: it waits, holds leases, and is seen to die. The page `states` has the table of all requests, which a test holds against
//! the one here.

mod fields;
mod object;
mod ops;
mod points;
mod reply;
mod request;

pub(crate) use reply::reply;
pub(crate) use request::request;

#[cfg(test)]
mod tests;
