//! The last moment of an async body: its handles are dropped, and nobody blocks for that.
//!
//! A handle that is dropped stops its process, and waits for it. In the thread of a runtime that would be a deadlock
//! wherever the process wants something of that runtime before it goes. So the body has one more local, which is dropped
//! before the handles are, and says that the end has begun: from then on the scope stops what is left, on a thread of
//! ours, while the body's runtime goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ground::Scope;

/// Whether the body is being polled: who drops its locals then is the body itself, at its end. Otherwise somebody has
/// dropped a future that was not done, and nobody will conduct an end.
pub(super) type IsPolled = Arc<AtomicBool>;

/// Dropped by a body before its handles.
#[derive(Debug)]
pub struct Ending {
    scope: Arc<Scope>,
    is_polled: IsPolled,
}

impl Ending {
    pub(super) fn of(scope: &Arc<Scope>) -> (Ending, IsPolled) {
        let is_polled = IsPolled::default();
        (Ending { scope: Arc::clone(scope), is_polled: Arc::clone(&is_polled) }, is_polled)
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        if self.is_polled.load(Ordering::Relaxed) {
            self.scope.begin_end();
        }
    }
}
