//! One way to ask for an error.

use expect_test::Expect;
use pkit_test::{Error, Orchestra, Process, Spec};

use crate::child::too_late;
use crate::text::normalised;

/// Starts what cannot be started, twice: the same spec gives the same text.
#[track_caller]
pub(super) fn check(spec: Spec, expected: Expect) -> Error {
    is_always(expected, || failure(spec.clone()))
}

/// The same for one that is not ready in time, when it has come so far.
#[track_caller]
pub(super) fn check_late(spec: Spec, comes_so_far: impl Fn(&Process), expected: Expect) -> Error {
    is_always(expected, || too_late(spec.clone(), &comes_so_far))
}

#[track_caller]
fn is_always(expected: Expect, fails: impl Fn() -> Error) -> Error {
    let first = fails();
    expected.assert_eq(&normalised(&first.to_string()));
    let second = fails();
    assert_eq!(normalised(&second.to_string()), normalised(&first.to_string()));
    second
}

/// The same for a stack.
#[track_caller]
pub(super) fn check_stack(stack: impl Into<Orchestra>, expected: Expect) -> Error {
    match stack.into().start() {
        Ok(stack) => panic!("{stack:?} was started"),
        Err(error) => {
            expected.assert_eq(&normalised(&error.to_string()));
            error
        }
    }
}

#[track_caller]
fn failure(spec: Spec) -> Error {
    match spec.start() {
        Ok(process) => panic!("{process:?} was started"),
        Err(error) => error,
    }
}
