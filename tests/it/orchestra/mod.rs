//! Several executors under one name each: who starts when, who ends when, and what is said about it.

mod order;
mod nested;
mod failure;
mod executor;
mod stack;
mod member;
mod scope;
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};

/// What a panic says; it is caught, so that the proof that nothing is left comes after it.
#[track_caller]
fn panic_text<R>(body: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(body)) else { panic!("it did not panic") };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a text")).to_owned(),
    }
}
