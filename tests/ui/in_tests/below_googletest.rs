//! googletest takes every parameter for a fixture, and moves it out of our sight.

use pkit_test::{Process, simple, with_processes};

/// The compiler would miss a fixture.
#[googletest::test]
#[with_processes(db = simple("a"))]
fn below_googletest(db: Process) {
    drop(db);
}

/// Nothing is taken for anything.
#[googletest::test]
#[with_processes(db = simple("a"))]
fn without_parameter() {}
