//! `#[test]` refuses parameters before anything below it is expanded. What it leaves looks like a helper function, so
//! that the order can only be seen in the source.

use pkit_test::{Process, simple, with_processes};

/// The compiler refuses it, and we say why.
#[test]
#[with_processes(db = simple("a"))]
fn with_parameter(db: Process) {
    drop(db);
}

/// Nothing is refused, and the processes are up while the body runs.
#[test]
#[with_processes(db = simple("a"))]
fn without_parameter() {}

// #[test]
#[with_processes(db = simple("a"))]
fn a_helper_is_no_test(db: Process) {
    drop(db);
}

#[test]
fn calls_the_helper() {
    a_helper_is_no_test();
}
