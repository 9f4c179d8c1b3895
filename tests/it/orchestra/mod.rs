//! Several executors under one name each: who starts when, who ends when, and what is said about it.

mod order;
mod nested;
mod failure;
mod executor;
mod parts;
mod reserved;
mod stack;
mod member;
mod scope;
mod verdict;

use std::panic::{AssertUnwindSafe, catch_unwind};

use pkit_test::{Process, Spec, simple};

/// What a panic says; it is caught, so that the proof that nothing is left comes after it.
#[track_caller]
fn panic_text<R>(body: impl FnOnce() -> R) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(body)) else { panic!("it did not panic") };
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a text")).to_owned(),
    }
}

/// A process that writes one line.
#[track_caller]
fn echo(text: &str) -> Spec {
    simple(format!("echo {text}")).may_exit()
}

/// What it has written when it is over.
fn said(process: &Process) -> String {
    process.wait().unwrap();
    process.stdout().trim_end().to_owned()
}
