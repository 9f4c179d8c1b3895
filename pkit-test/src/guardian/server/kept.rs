//! The end of the test, and what stays up after it because `PKIT_KEEP` says so.

use std::time::{Duration, Instant};

use super::ending::patience;
use super::{Guardian, Phase};
use crate::config::deadline_in;
use crate::guardian::janitor::now_seconds;
use crate::guardian::protocol::{Hello, Keep, Order};
use crate::guardian::report::report;

impl Guardian {
    pub(super) fn goodbye(&mut self, failed: bool) {
        self.stderr = None;
        let keep = self.hello.as_ref().map_or(Keep::Never, |hello| hello.keep);
        if keep == Keep::Always || (keep == Keep::Failed && failed) {
            self.keep();
        } else {
            self.end(false);
        }
    }

    pub(super) fn owner_died(&mut self) {
        self.watch = None;
        if matches!(self.phase, Phase::Kept(_)) {
            return;
        }
        let stderr = self.stderr.take();
        let kept_for = self.hello.as_ref().filter(|hello| hello.keep != Keep::Never).map(Hello::keep_for);
        let reports = self.hello.as_ref().is_some_and(|hello| hello.reports);
        if let (Phase::Serving, Some(stderr)) = (&self.phase, stderr.filter(|_| reports)) {
            let services = self.shims.values().filter(|shim| !shim.is_errand);
            report(stderr, services.map(|shim| &shim.account), kept_for);
        }
        self.owner = None;
        // What is ending already goes on doing so, only faster.
        if kept_for.is_some() && matches!(self.phase, Phase::Serving) { self.keep() } else { self.end(true) }
    }

    fn keep(&mut self) {
        let time = self.hello.as_ref().map_or(Duration::ZERO, Hello::keep_for);
        self.phase = Phase::Kept(deadline_in(time));
        self.owner = None;
        self.watch = None;
        self.note(|ledger| ledger.kept_until(now_seconds().saturating_add(time.as_secs())));
        self.stop_errands();
    }

    /// What was only there to ask about others is not kept with them.
    fn stop_errands(&mut self) {
        for (id, shim) in self.shims.iter_mut().filter(|(_, shim)| shim.is_errand && !shim.is_closed) {
            shim.outbox.push(&Order::Stop(shim.stop).to_frame(*id));
            shim.overdue = Some(Instant::now() + patience(shim.stop));
            self.unsent.insert(*id);
        }
        self.flush_unsent();
    }

    /// Nobody has looked at it for so long. Each service has the time that its spec gives it.
    pub(super) fn end_what_was_kept(&mut self) {
        if matches!(self.phase, Phase::Kept(until) if until <= Instant::now()) {
            self.end(false);
        }
    }
}
