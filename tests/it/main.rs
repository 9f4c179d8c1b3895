//! The tests of the library, in one binary.

mod child;
mod text;

mod errors;
mod handle;
mod output;
