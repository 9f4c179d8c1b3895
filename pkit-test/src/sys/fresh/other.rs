//! Other Unix systems: a function is run in the binary executed anew, when the constructors have run.

use std::ffi::{CStr, CString};

/// Nobody has tried to find the constructors.
pub(crate) fn can_be_forked() -> bool {
    false
}

/// There is nothing to be found out.
pub(crate) fn prepare() {}

pub(super) fn note_registered(_place: Option<usize>) {}

pub(super) fn run_other_constructors() {}

/// Not known, so it is believed.
pub(super) fn is_code(_address: usize) -> bool {
    true
}

/// Nothing is forked that would need another one.
pub(super) fn set_environment(_variables: &[CString]) {}

/// The arguments stay those of the command that has executed the binary.
pub(super) fn set_arguments(_program: CString, _shown: &CStr) {}
