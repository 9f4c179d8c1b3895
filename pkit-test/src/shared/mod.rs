//! One server for all tests of a run: what can be shared, what makes two of them the same, and how a test gets hold of it.

mod shareable;
mod executor;
mod check;
mod start;
mod parts;
mod spec;
#[cfg(feature = "function")]
mod state;
mod stack;
mod each;
mod view;
mod seat;
mod undo;
mod leaving;
pub(crate) mod door;
pub(crate) mod run;

pub use each::Each;
pub use executor::Shared;
pub use seat::Seat;
pub use shareable::Shareable;
#[cfg(feature = "function")]
pub use undo::undo;
pub use undo::{IntoUndo, Undo};
pub use view::View;
