//! What a test has started: whose it is, what became of it, and how that is told at the end.
//!
//! Whoever starts and stops notes here what happens, and nothing here asks: a record is values and moments. Its locks are the
//! last that anybody takes.

mod whose;
mod values;
mod history;
mod report;
mod table;
mod timeline;
#[cfg(test)]
mod tests;

pub(crate) use history::{Noted, Record, RunEnd};
pub use values::{ProcessRecord, ProcessState, RunRecord};
pub(crate) use whose::Part;
pub use whose::processes;
