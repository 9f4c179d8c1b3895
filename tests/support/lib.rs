//! What the tests share: the children's common ground, and the counting of what is left when all should be gone.
//!
//! Nothing here uses the library under test: what counts survivors must not be fooled by what it measures.

pub mod child;
pub mod left_out;
pub mod namespace;
pub mod nested;
pub mod portrait;
pub mod private;
pub mod process;
pub mod seccomp;
pub mod seed;
pub mod servers;
pub mod source;
