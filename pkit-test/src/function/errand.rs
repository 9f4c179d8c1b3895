//! A function whose end says only whether it has worked, as that of `main` does.

use std::any::type_name;
use std::process::{ExitCode, Termination};
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::callable::{Callable, name_of, pointer_of};
use super::codec;
use super::enter::enter_errand;
use crate::callee::Callee;

/// What a spec holds of it; what it is called with is known later.
pub(crate) fn callee_of_errand<F, A, M>(function: F, takes: &'static str) -> Callee
where
    F: Callable<A, M>,
    A: DeserializeOwned + 'static,
    F::Output: Termination,
    M: 'static,
{
    let pointer = pointer_of::<F, A, M>(&function);
    Callee {
        name: name_of(type_name::<F>()),
        kind: type_name::<F>(),
        takes,
        reads: |bytes| codec::read::<A>(bytes).map(drop),
        entry: enter_errand::<F, A, M>,
        arguments: pointer.as_ref().map(|_| Arc::default()).map_err(String::clone),
        pointer: pointer.unwrap_or_default(),
    }
}

/// The number of an exit code, which says nothing of itself but whether it is another one.
pub(super) fn number_of(code: ExitCode) -> i32 {
    (0..=u8::MAX).find(|number| ExitCode::from(*number) == code).unwrap_or(1).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_number() {
        assert_eq!(number_of(Ok::<(), String>(()).report()), 0);
        assert_eq!(number_of(Err::<(), String>("no".to_owned()).report()), 1);
        assert_eq!(number_of(ExitCode::from(255)), 255);
    }
}
