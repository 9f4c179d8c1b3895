//! A run of a function, for whoever waits for what comes of it.

use std::sync::Arc;

use crate::guardian::run::Run;
use crate::parcel::Parcel;

/// One run, and what its function was given. As long as there is this somebody will be told how the run ends, so that
/// nobody else need say it, whoever starts the next one.
pub(crate) struct Awaited {
    pub(crate) run: Arc<Run>,
    pub(crate) parcel: Option<Arc<Parcel>>,
    was_told: bool,
}

impl Awaited {
    pub(super) fn new(run: Arc<Run>, parcel: Option<Arc<Parcel>>) -> Awaited {
        run.look(|state| state.listeners += 1);
        Awaited { run, parcel, was_told: false }
    }

    /// What went wrong has been told.
    pub(crate) fn was_told(mut self) {
        self.was_told = true;
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        if !self.was_told {
            self.run.look(|state| state.listeners -= 1);
        }
    }
}
