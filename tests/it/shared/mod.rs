//! One server for all tests of a run.
//!
//! What is shared lives as long as the runner, which is not the test that asks for it. So what these tests share they share in
//! runs of their own.

mod each;
mod held;
mod run;

mod identity;
mod kinds;
mod sameness;
mod manners;
mod failures;
mod refusals;
mod extremes;
