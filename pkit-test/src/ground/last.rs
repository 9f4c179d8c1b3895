//! What is done last of all in a scope, when all that was started in it is down: what a test has made outside of it is undone.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use super::Scope;
use crate::error::Error;
use crate::sync::lock;

/// Something that has to be done once, by whoever comes to it first.
pub(crate) trait Last: Debug + Send + Sync {
    /// Sees to it that it is done, and says what went wrong, once.
    fn end(&self, has_failed: bool) -> Option<Error>;

    /// Leaves it undone, for people to look at.
    fn keep(&self);
}

/// All of them, of one scope and those in it.
#[derive(Debug, Default)]
pub(super) struct Lasts(Mutex<Vec<Arc<dyn Last>>>);

impl Scope {
    /// From now on it is done at the end of this scope; of the outermost, where it is in another one: that comes last.
    pub(crate) fn finally(&self, last: Arc<dyn Last>) {
        match &self.outer {
            Some(outer) => outer.scope.finally(last),
            None => lock(&self.lasts.0).push(last),
        }
    }

    /// Does all of it, the newest first, and says what went wrong.
    pub(crate) fn end_lasts(&self, has_failed: bool) -> Vec<Error> {
        // Not under the lock: it may take its time, and others may be added meanwhile.
        let lasts = std::mem::take(&mut *lock(&self.lasts.0));
        lasts.iter().rev().filter_map(|last| last.end(has_failed)).collect()
    }

    /// Leaves all of it undone.
    pub(crate) fn keep_lasts(&self) {
        std::mem::take(&mut *lock(&self.lasts.0)).iter().for_each(|last| last.keep());
    }
}
