//! Whether the value of a test's body means failure.
//!
//! The answer depends on its type, and an expansion knows only its tokens. So it calls a method of [`Outcome`], which
//! is found there for the types that can fail, and one step further for all others.

use std::ops::Deref;
use std::process::ExitCode;

/// The value of a body.
#[derive(Debug)]
pub struct Outcome<'a, R>(pub &'a R);

impl<T, E> Outcome<'_, Result<T, E>> {
    /// An error is a failure.
    #[must_use]
    pub fn failed(&self) -> bool {
        self.0.is_err()
    }
}

impl Outcome<'_, ExitCode> {
    /// So is every code but the one of success.
    #[must_use]
    pub fn failed(&self) -> bool {
        *self.0 != ExitCode::SUCCESS
    }
}

/// A value of a type that cannot say "failed".
#[derive(Debug)]
pub struct AnyOutcome;

impl AnyOutcome {
    /// Never.
    #[must_use]
    pub fn failed(&self) -> bool {
        false
    }
}

impl<R> Deref for Outcome<'_, R> {
    type Target = AnyOutcome;

    fn deref(&self) -> &AnyOutcome {
        &AnyOutcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_fail_fails() {
        assert!(Outcome(&Err::<(), _>("no")).failed());
        assert!(!Outcome(&Ok::<_, String>(1)).failed());
        assert!(Outcome(&ExitCode::FAILURE).failed());
        assert!(!Outcome(&ExitCode::SUCCESS).failed());
        assert!(!Outcome(&()).failed());
    }
}
