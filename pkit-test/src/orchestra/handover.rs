//! How an async body gets its handles: by a place in the function that awaits it.
//!
//! A body that took them as arguments would be a closure that returns a future, and such a future has to take along all that
//! it uses of the function. As it is, it borrows what it can, so that parameters which are not ours outlive the processes.

use std::sync::Mutex;

use crate::sync::lock;

/// Holds a value from the moment when all is up to the first moment of the body.
#[derive(Debug)]
pub struct Handover<T> {
    value: Mutex<Option<T>>,
}

impl<T> Handover<T> {
    /// One that is empty.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "only an expansion makes one")]
    pub fn new() -> Handover<T> {
        Handover { value: Mutex::new(None) }
    }

    /// Gives it the value.
    pub fn put(&self, value: T) {
        *lock(&self.value) = Some(value);
    }

    /// Takes the value, once.
    #[must_use]
    pub fn take(&self) -> T {
        lock(&self.value).take().expect("a body begins when all is up")
    }
}
