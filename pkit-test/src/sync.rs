//! A value that threads change and wait for.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// A value behind a lock, and the news that it changed.
#[derive(Debug, Default)]
pub(crate) struct Monitor<T> {
    value: Mutex<T>,
    changed: Condvar,
}

impl<T> Monitor<T> {
    pub(crate) fn new(value: T) -> Monitor<T> {
        Monitor { value: Mutex::new(value), changed: Condvar::new() }
    }

    /// Looks at the value.
    pub(crate) fn with<R>(&self, look: impl FnOnce(&mut T) -> R) -> R {
        look(&mut lock(&self.value))
    }

    /// Changes the value and wakes everybody who waits for it.
    pub(crate) fn change<R>(&self, change: impl FnOnce(&mut T) -> R) -> R {
        let result = change(&mut lock(&self.value));
        self.changed.notify_all();
        result
    }

    /// Wakes everybody who waits, since something else changed that they look at.
    pub(crate) fn wake(&self) {
        drop(lock(&self.value));
        self.changed.notify_all();
    }

    /// Waits until `look` has an answer; `None` at the deadline. Looks once more at the deadline, so that a late
    /// wake-up costs a late answer, never a wrong one.
    pub(crate) fn wait_until<R>(
        &self,
        deadline: Option<Instant>,
        mut look: impl FnMut(&mut T) -> Option<R>,
    ) -> Option<R> {
        let mut value = lock(&self.value);
        loop {
            let now = Instant::now();
            if let Some(answer) = look(&mut value) {
                return Some(answer);
            }
            value = match deadline {
                None => self.changed.wait(value).unwrap_or_else(PoisonError::into_inner),
                Some(deadline) if now >= deadline => return None,
                Some(deadline) => {
                    let waited = self.changed.wait_timeout(value, deadline - now);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

/// Locks also what a panicking thread held: our critical sections leave no half-done state behind.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
