//! Below `#[rstest]` a case has become a function without parameters, so that an executor does not see its argument.

use pkit_test::{simple, with_processes};
use rstest::rstest;

/// Each case begins with our processes, and only then has a value.
#[rstest]
#[case(1)]
#[with_processes(db = simple(format!("sleep {number}")))]
fn below_rstest_with_an_argument(#[case] number: u8) {
    assert!(number > 0);
}

/// The same by name.
#[rstest]
#[with_processes(db = simple("sleep").arg(length.to_string()))]
fn as_a_value(#[values(1, 2)] length: u8) {
    assert!(length > 0);
}
