//! `#[rstest]` takes every parameter that it does not know for a fixture, and moves the attributes below it to
//! functions of its own, which have no parameters.

use pkit_test::{Process, simple, with_processes};
use rstest::rstest;

/// The compiler would miss a fixture.
#[rstest]
#[with_processes(db = simple("a"))]
fn taken_for_a_fixture(db: Process) {
    drop(db);
}

#[rstest]
#[case(1)]
#[case(2)]
#[with_processes(db = simple("a"), api = simple("b"))]
fn in_a_case(#[case] number: u8, _db: Process) {
    assert!(number > 0);
}

#[rstest]
#[case(1)]
#[with_processes(db = simple("a"))]
fn works_where_rstest_is_told_to_ignore_it(#[case] number: u8, #[ignore] db: Process) {
    drop(db);
    assert!(number > 0);
}
