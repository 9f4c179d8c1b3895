//! What this test may do with a process that others have as well.
//!
//! ```text
//!                       own     to look at    to control (exclusive)
//! looks, waits, output  yes     yes           yes
//! stop, signal, start…  yes     refused       yes
//! ends with the test    yes     no            no
//! ```
//! Everything that differs asks one of the two questions of the last lines: [`Core::control`], [`Core::is_own`].

use std::sync::Arc;

use super::Process;
use super::core::Core;
use crate::error::{Error, Kind, Result};
use crate::guardian::broker::protocol::MAY_RETURN;
use crate::guardian::lease::Lease;
use crate::guardian::run::Run;
use crate::spec::Expected;

/// A lease, and which part of what it is about a process is.
#[derive(Debug)]
pub(crate) struct Held {
    lease: Arc<Lease>,
    part: u32,
}

impl Held {
    pub(crate) fn new(lease: &Arc<Lease>, part: u32) -> Held {
        lease.use_it();
        Held { lease: Arc::clone(lease), part }
    }
}

impl Process {
    /// The number of this test among those that have this [shared](crate::Spec::shared) process at the moment: the smallest
    /// that no other has, from 0 on. `None` of a process that is this test's own. Other processes of the test know it as
    /// `{db.slot}`.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// use pkit_test::simple;
    /// let shared = simple("sleep 61").shared().start()?;
    /// assert!(shared.slot().is_some());
    /// assert_eq!(simple("sleep 61").start()?.slot(), None);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn slot(&self) -> Option<u32> {
        self.core.held.as_ref().map(|held| held.lease.slot())
    }
}

impl Core {
    /// Whether it is this test's own, and ends with it.
    pub(crate) fn is_own(&self) -> bool {
        self.held.is_none()
    }

    /// Refuses what others would feel who have it as well.
    pub(crate) fn control(&self, doing: &str) -> Result<()> {
        let Some(held) = &self.held else { return Ok(()) };
        let name = &self.place().name;
        if !held.lease.is_exclusive() {
            let title = format!("cannot {doing}: `{name}` is shared with other tests of this run, which would feel it");
            return Err(Error::new(Kind::Shared, title).fact("spec", self.life(|life| life.spec.shown())).fact(
                "hint",
                "`.shared().exclusive()` waits until no other test has it, and keeps them out meanwhile",
            ));
        }
        if held.lease.is_over() {
            return Err(Error::new(Kind::Shared, format!("cannot {doing}: this test does not have `{name}` any more")));
        }
        Ok(())
    }

    /// For the facts of an error: whose it is, where it is not the test's own.
    pub(super) fn shared_by(&self) -> String {
        let Some(held) = &self.held else { return String::new() };
        match (held.lease.is_exclusive(), held.lease.starts()) {
            (true, _) => "with other tests of this run, and exclusive to this one meanwhile".to_owned(),
            (false, 1) => "with other tests of this run".to_owned(),
            (false, starts) => format!("with other tests of this run, in which it was started {starts} times"),
        }
    }

    /// The test is done with it, and has failed or not.
    pub(super) fn note_verdict(&self, has_failed: bool) {
        self.held.iter().filter(|_| has_failed).for_each(|held| held.lease.note_failure());
    }

    /// The handle is gone. With the last one of a lease that ends.
    pub(super) fn let_lease_go(&self) {
        self.held.iter().for_each(|held| held.lease.leave_it());
    }

    /// Its run, where the end of that is the end of what others share: not that of a job that may end, nor of a function that has
    /// returned.
    pub(crate) fn vital_run(&self) -> Option<u32> {
        let run = self.run()?;
        match self.life(|life| life.spec.expects) {
            Expected::Nothing => Some(run.id()),
            Expected::Return => Some(run.id() | MAY_RETURN),
            Expected::MayExit | Expected::Code(_) => None,
        }
    }

    /// Another run of it is up, which those who have it after this test are to know.
    pub(crate) fn tell_lease(&self, run: &Run) {
        let Some(held) = &self.held else { return };
        // Where it is was known before, so that there is nothing that could fail.
        let Ok(published) = self.published() else { return };
        held.lease.note_change(held.part, self.vital_run().unwrap_or(run.id()), published);
    }

    /// Something else is started in its place, for this test alone.
    pub(crate) fn spoil_lease(&self) {
        let Some((held, run)) = self.held.as_ref().zip(self.run()) else { return };
        held.lease.spoil(held.part, run.id());
    }
}
