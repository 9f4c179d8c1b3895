//! The end of the test, and what stays up after it because `PKIT_KEEP` says so.

use std::time::{Duration, Instant};

use super::{Guardian, Phase};
use crate::config::deadline_in;
use crate::guardian::janitor::now_seconds;
use crate::guardian::protocol::{Hello, Keep};
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
            report(stderr, self.shims.values().map(|shim| &shim.account), kept_for);
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
    }

    /// Nobody has looked at it for so long. Each service has the time that its spec gives it.
    pub(super) fn end_what_was_kept(&mut self) {
        if matches!(self.phase, Phase::Kept(until) if until <= Instant::now()) {
            self.end(false);
        }
    }
}
