//! The only names that an expansion may say. Not for people: they change without notice.

pub use crate::command::bin;
pub use crate::orchestra::awaited::value;
pub use crate::orchestra::handover::Handover;
pub use crate::orchestra::judge::{AnyOutcome, Outcome};
pub use crate::orchestra::stage::{Ending, Slot, Stage, Up};
#[cfg(feature = "rstest")]
pub use rstest::fixture;

/// The blocks of the README are examples like all others. Only here: in the published package it lies elsewhere.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
