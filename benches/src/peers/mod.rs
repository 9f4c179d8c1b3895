//! The peers: other people's crates and packages for the same work.

mod kit;
mod python;
mod wrap;

pub(crate) use kit::Kit;
pub(crate) use python::{NOT_THERE, Python, interpreter};
pub(crate) use wrap::Wrap;
