//! The only names that an expansion may say. Not for people: they change without notice.

pub use crate::command::bin;
pub use crate::orchestra::awaited::value;
pub use crate::orchestra::handover::Handover;
pub use crate::orchestra::judge::{AnyOutcome, Outcome};
pub use crate::orchestra::stage::{Ending, Slot, Stage, Up};
#[cfg(feature = "rstest")]
pub use rstest::fixture;
