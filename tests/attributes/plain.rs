//! `#[test]`, what the compiler itself knows beside it, and functions that are no tests.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{self, Sender};

use pkit_test::fixtures::{Dir, dir};
use pkit_test::{Process, Result, with_processes};

use crate::children::{said, says, sleeper, stops};

/// The form to begin with.
#[with_processes(a = sleeper())]
#[test]
fn above_test(a: Process) {
    assert!(a.is_alive());
}

/// `?` and a returned `Err` mean what they mean without the attribute.
#[with_processes(a = sleeper())]
#[test]
fn with_a_result(a: Process) -> Result<()> {
    a.stop()?;
    a.start()
}

/// A process that does not start is printed and the test returns, so that it does not pass by our panic.
#[with_processes(a = sleeper())]
#[test]
#[should_panic(expected = "the process is up")]
fn above_should_panic(a: Process) {
    assert!(!a.is_alive(), "the process is up");
}

/// The compiler's own attributes may stand on either side.
#[should_panic(expected = "the process is up")]
#[with_processes(a = sleeper())]
#[test]
fn below_should_panic(a: Process) {
    assert!(!a.is_alive(), "the process is up");
}

/// They nest: the lower one is up first and down last, and the upper one may use its handles.
#[with_processes(upper = says(lower.pid().is_some()))]
#[with_processes(lower = sleeper())]
#[test]
fn on_itself(lower: Process, upper: Process) {
    assert_eq!((said(&upper).as_str(), lower.is_alive()), ("true", true));
}

/// There is nothing to refuse: the processes are up while the body runs, and nobody asks for a handle.
#[test]
#[with_processes(a = sleeper())]
fn below_test() {}

mod program {
    use super::{Process, said, says, with_processes};

    /// As on a test; what goes wrong is a panic.
    #[with_processes(a = says("in main"))]
    pub(super) fn main(a: Process) {
        assert_eq!(said(&a), "in main");
    }
}

/// Any parameters, any value; whoever calls it brings the rest.
#[with_processes(a = says(what))]
fn helper<'a>(what: &str, text: &'a str, a: Process) -> (&'a str, String) {
    (text, said(&a))
}

#[test]
fn functions_that_are_no_tests_have_processes() {
    program::main();
    assert_eq!(helper("this", "that"), ("that", "this".to_owned()));
}

#[test]
fn two_attributes_end_in_reverse_order_also_with_handles_by_value() {
    #[with_processes(upper = stops("upper", file))]
    #[with_processes(lower = stops("lower", file))]
    fn body(file: &Path, lower: Process, upper: Process) {
        assert!(lower.is_alive() && upper.is_alive());
    }
    let place = dir();
    let file = place.join("stops");
    body(&file);
    assert_eq!(fs::read_to_string(file).unwrap(), "upper\nlower\n");
}

#[test]
fn what_a_process_needs_of_the_function_outlives_it() {
    #[with_processes(a = stops("a", &place.join("stops")).on_exit(move |_, exit| codes.send(exit.code()).unwrap()))]
    fn body(place: Dir, codes: Sender<Option<i32>>, a: Process) {
        assert!(place.exists() && a.is_alive());
    }
    let (codes, received) = mpsc::channel();
    body(dir(), codes);
    // It could write into the directory when it was stopped.
    assert_eq!(received.recv(), Ok(Some(0)));
}
