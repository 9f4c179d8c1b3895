//! Functions in processes of their own, where everything that executes this binary can be counted.

use pkit_test::{Worker, function, with_processes};

use super::chosen::{command, is_chosen};
use crate::functions;

#[test]
fn all_kinds() {
    if is_chosen() {
        functions::kinds::all_kinds();
    }
}

/// There to have a private copy of this binary, which is told what to run by its arguments.
#[test]
fn whatever_is_asked_for() {}

#[test]
fn limits() {
    if is_chosen() {
        functions::fresh::limited(&command("vain", ""));
    }
}

#[test]
fn asks_for_a_backtrace() {
    if is_chosen() {
        functions::results::asks_for_a_backtrace();
    }
}

#[test]
fn has_little_room() {
    if is_chosen() {
        functions::exchange::has_little_room();
    }
}

#[test]
fn resumes() {
    if is_chosen() {
        let worker = function(boom, true).start().unwrap();
        worker.join().unwrap_or_else(|failure| failure.resume());
    }
}

fn boom(is_wanted: bool) -> u32 {
    assert!(!is_wanted, "what the function says");
    7
}

#[with_processes(app = function(boom, false))]
#[test]
fn returns(app: Worker<u32>) {
    app.wait().unwrap();
}

#[with_processes(app = function(boom, is_chosen()))]
#[test]
fn panics_and_is_joined(app: Worker<u32>) {
    assert_eq!(app.join().is_err(), is_chosen());
}

#[with_processes(app = function(boom, is_chosen()))]
#[test]
fn panics_unseen(app: Worker<u32>) {
    app.wait().unwrap();
}

#[with_processes(app = function(boom, is_chosen()).may_exit())]
#[test]
fn may_panic(app: Worker<u32>) {
    app.wait().unwrap();
}

#[with_processes(app = function(|is_wanted: bool| if is_wanted { std::process::exit(101) }, is_chosen()))]
#[test]
fn exits_unseen(app: Worker<()>) {
    app.wait().unwrap();
}
