//! Let it crash: who is started again after which exit, how often, and with whom.
//!
//! Nothing here runs anything or looks at a clock: [`machine`] says what to do, and a thread of `start` does it.

mod desk;
mod history;
mod machine;
mod policy;
#[cfg(test)]
mod tests;

pub(crate) use desk::{Desk, Mail};
pub(crate) use machine::{End, Limits, Machine, News, Policy, Todo};
pub(crate) use policy::Intensity;
pub use policy::{Strategy, Supervision};
