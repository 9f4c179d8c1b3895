//! Between two looks: waiting for what could change the answer, by one call for all of it.
//!
//! ```text
//!                the run changed      event of the probe    the pause is over      deadline
//! AtEvent        -> look              -> look               (only where events     -> look
//!                                                           may be missed)
//! Begun          -> look              -> look               -> look                -> look
//! More           no pause: what has been written is looked at to the end, first of all
//! others         -> look if its       (not heard)           -> look                -> look
//!                phase has changed
//! ```
//! The last column is the last look. Before the program runs nothing but that ends the pause of `others`; and where there is no
//! descriptor for a bell the events are not heard, and all pauses are over soon.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::guardian::run::{Hearing, Phase, Run};
use crate::handle::Core;
use crate::limits::{EVENTS_MISSED, POLL_MAX, POLL_MIN, POLL_SHARE};
use crate::ready::{Look, Probe};
use crate::sys::bell::{self, Bell};

/// The pauses of one wait.
pub(super) struct Pauses<'a> {
    core: &'a Core,
    run: &'a Run,
    /// Where there is no descriptor for it the wait goes on without: slower, and with the same answer.
    bell: Option<(Arc<Bell>, Hearing<'a>)>,
    began: Instant,
    deadline: Instant,
    /// When what the probe at hand waits for has begun.
    begun: Option<Instant>,
}

impl<'a> Pauses<'a> {
    pub(super) fn new(core: &'a Core, run: &'a Run, deadline: Instant) -> Pauses<'a> {
        let bell = Bell::new().ok().map(Arc::new).map(|bell| (Arc::clone(&bell), run.heard_by(&bell)));
        Pauses { core, run, bell, began: Instant::now(), deadline, begun: None }
    }

    /// One pause. The phase is as it was before the look.
    pub(super) fn pause(&mut self, look: &Look, phase: Phase, probe: Option<&dyn Probe>) {
        self.begun = matches!(look, Look::Begun(_)).then(|| self.begun.unwrap_or_else(Instant::now));
        let until = self.until(look, phase, probe).min(self.deadline);
        match look {
            Look::More(_) => {}
            Look::AtEvent(_) | Look::Begun(_) => self.wait(phase, probe.and_then(Probe::events), until, true),
            _ => self.wait(phase, None, until, false),
        }
    }

    fn until(&self, look: &Look, phase: Phase, probe: Option<&dyn Probe>) -> Instant {
        let now = Instant::now();
        match look {
            Look::AtEvent(_) if self.bell.is_none() => now + next_pause(self.began.elapsed()),
            Look::AtEvent(_) if probe.is_some_and(Probe::may_miss_events) => now + EVENTS_MISSED,
            Look::AtEvent(_) => self.deadline,
            // Its shim says when the program runs.
            _ if phase == Phase::Starting => self.deadline,
            _ => now + next_pause(self.begun.unwrap_or(self.began).elapsed()),
        }
    }

    fn wait(&self, phase: Phase, event: Option<BorrowedFd<'_>>, until: Instant, any_change: bool) {
        let Some((bell, _)) = &self.bell else {
            let changed = |now: Phase| now != phase || self.core.is_given_up();
            self.run.wait_until(Some(until), |state| changed(state.phase).then_some(()));
            return;
        };
        let fds: Vec<BorrowedFd<'_>> = [bell.as_fd()].into_iter().chain(event).collect();
        loop {
            bell::wait_any(&fds, until);
            // First drained, then looked: what changes from here on rings again.
            bell.drain();
            if any_change || Instant::now() >= until || self.run.phase() != phase || self.core.is_given_up() {
                return;
            }
        }
    }
}

/// Short at first, since a server that is up in milliseconds should not wait for us, and longer with the time waited:
/// a few percent of lag for a few percent of CPU.
fn next_pause(waited: Duration) -> Duration {
    (waited / POLL_SHARE).clamp(POLL_MIN, POLL_MAX)
}
