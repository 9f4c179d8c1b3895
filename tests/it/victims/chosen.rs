//! Whether a victim was asked for, and what it is given then.

use std::env;

use pkit_test::{Spec, bin, simple};

use crate::nested::{CHILD, CHOSEN};

/// Whether this process is to run a victim.
pub(crate) fn is_chosen() -> bool {
    env::var_os(CHOSEN).is_some()
}

/// The spec where the victim was asked for, and otherwise one that can do no harm.
pub(crate) fn only(spec: impl FnOnce() -> Spec) -> Spec {
    if is_chosen() { spec() } else { simple(bin!("sleeper")) }
}

/// The command of a child that was given to this victim.
pub(crate) fn command(child: &str, arguments: &str) -> String {
    let path = env::var(format!("{CHILD}{child}")).unwrap_or_else(|_| panic!("nobody gave a {child}"));
    format!("'{path}' {arguments}")
}
