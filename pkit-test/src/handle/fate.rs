//! What becomes of a process that is supervised: what its supervisor is told, and what a test can wait for.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::core::{Core, Life};
use super::end::with_last_words;
use super::{Farewell, Process};
use crate::config::{deadline_in, scaled};
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::guardian::run::{Run, State};
use crate::supervise::{End, News, Policy};

impl Process {
    /// Waits until it has been started again more than `beyond` times, by whomever, and is ready. Returns
    /// [`restarts`](Process::restarts).
    ///
    /// Take the count before you cause the crash, and no restart can be missed. `PKIT_TIMEOUT_SCALE` multiplies the
    /// timeout.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use pkit_test::{Signal, Supervision, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let worker = simple("sleep 60").supervise(Supervision::permanent()).start()?;
    /// for signal in [Signal::Kill, Signal::Abort] {
    ///     let before = worker.restarts();
    ///     worker.signal(signal)?;
    ///     assert_eq!(worker.wait_restart(before, Duration::from_secs(10))?, before + 1);
    ///     assert!(worker.is_alive());
    /// }
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over. And at once when nobody will start it again: its supervisor has given it up, the test has
    /// stopped it, or it has ended and is not supervised.
    pub fn wait_restart(&self, beyond: u32, timeout: Duration) -> Result<u32> {
        self.core.run_or_error("wait for a restart of it")?;
        let deadline = deadline_in(scaled(timeout));
        loop {
            let now = self.core.life(|life| life.seen());
            match now.verdict(beyond) {
                Some(Verdict::Restarts(restarts)) => return Ok(restarts),
                Some(Verdict::GivenUp(farewell)) => return Err(self.core.given_up_error(&farewell)),
                Some(Verdict::Never(why)) => return Err(self.never_again(why)),
                None if Instant::now() >= deadline => return Err(self.not_yet_again(beyond, now.restarts, timeout)),
                None => self.core.wait_for_change(&now, deadline),
            }
        }
    }

    fn never_again(&self, why: &str) -> Error {
        let title = format!("`{}` is not started again: {why}", self.name());
        let hint = (why == UNSUPERVISED).then_some("`.supervise(Supervision::permanent())` has it started again");
        self.core.with_fate(Error::new(Kind::State, title)).fact("hint", hint.unwrap_or_default())
    }

    fn not_yet_again(&self, beyond: u32, restarts: u32, timeout: Duration) -> Error {
        let title = format!("`{}` was not started again within {}", self.name(), in_words(timeout));
        let count = format!("{restarts} so far, more than {beyond} were waited for");
        self.core.with_fate(Error::new(Kind::Timeout, title).fact("again", count))
    }
}

const UNSUPERVISED: &str = "it is not supervised";

/// What somebody who waits for a restart looks at.
struct Seen {
    restarts: u32,
    is_ready: bool,
    is_in_hands: bool,
    is_halted: bool,
    never: Option<&'static str>,
    farewell: Option<Farewell>,
    policy: Policy,
    run: Option<Arc<Run>>,
    changes: u64,
}

enum Verdict {
    Restarts(u32),
    GivenUp(Farewell),
    Never(&'static str),
}

impl Life {
    fn seen(&self) -> Seen {
        let never = if self.is_retired {
            Some("its handle is gone, or the test has ended")
        } else {
            self.is_left_down.then_some("the test has stopped it")
        };
        Seen {
            restarts: self.starts.saturating_sub(1),
            is_ready: self.is_started,
            is_in_hands: self.hands > 0,
            is_halted: self.is_halted,
            never,
            farewell: self.given_up.clone(),
            policy: self.spec.policy(),
            run: self.run.clone(),
            changes: self.changes,
        }
    }
}

impl Seen {
    fn verdict(&self, beyond: u32) -> Option<Verdict> {
        if self.restarts > beyond && self.is_ready {
            return Some(Verdict::Restarts(self.restarts));
        }
        if let Some(farewell) = &self.farewell {
            return Some(Verdict::GivenUp(farewell.clone()));
        }
        if self.is_in_hands {
            return None;
        }
        if let Some(why) = self.never {
            return Some(Verdict::Never(why));
        }
        if self.is_halted {
            return None;
        }
        let end = self.run.as_ref().filter(|run| run.phase().is_over()).map(|run| run.look(|state| end_of(state)))?;
        let why = if self.policy.supervision.is_some() { "it has ended as it may" } else { UNSUPERVISED };
        (!self.policy.wants_back(end)).then_some(Verdict::Never(why))
    }
}

impl Core {
    /// Waits until it is over and nobody is about to start it again; `false` at the deadline.
    pub(super) fn wait_last_run(&self, deadline: Instant) -> bool {
        loop {
            let seen = self.life(|life| life.seen());
            if self.has_come_to_rest(&seen) {
                return true;
            }
            if Instant::now() >= deadline {
                return false;
            }
            self.wait_for_change(&seen, deadline);
        }
    }

    /// Whether it is down, and nobody is about to start it again.
    pub(crate) fn rests(&self) -> bool {
        self.has_come_to_rest(&self.life(|life| life.seen()))
    }

    fn has_come_to_rest(&self, seen: &Seen) -> bool {
        let is_over = seen.run.as_ref().is_none_or(|run| run.phase().is_over());
        is_over && (seen.verdict(u32::MAX).is_some() || !self.desk.is_open())
    }

    /// Whether it has ended by itself, and rightly: a job that is done.
    pub(crate) fn is_done(&self) -> bool {
        let (run, is_left_down, spec) = self.life(|life| (life.run.clone(), life.is_left_down, life.spec.clone()));
        let Some(run) = run.filter(|run| run.phase().is_over() && !is_left_down) else { return false };
        let end = run.look(|state| end_of(state));
        let is_success = spec.supervision.is_some() && !spec.policy().wants_back(end);
        !end.was_asked && (is_success || spec.expects.covers(end.exit))
    }

    /// Waits for what comes next: the end of a run that is up, or whatever somebody does with the handle.
    fn wait_for_change(&self, seen: &Seen, deadline: Instant) {
        match seen.run.as_ref().filter(|run| seen.is_ready && !run.phase().is_over()) {
            Some(run) => drop(run.wait_over(Some(deadline))),
            None => drop(self.life.wait_until(Some(deadline), |life| (life.changes != seen.changes).then_some(()))),
        }
    }

    /// Tells the supervisor of its scope, if there is one.
    pub(crate) fn post(&self, news: News) {
        self.desk.post(self.id, news);
    }

    /// Stops a run because another process has crashed. If it is another run by now, somebody else has seen to it.
    pub(crate) fn halt_run(&self, run: u32) -> Result<()> {
        let current = self.change_life(|life| {
            let is_wanted = life.starts == run && !life.is_left_down;
            life.is_halted |= is_wanted;
            life.run.clone().filter(|_| is_wanted)
        });
        current.map_or(Ok(()), |run| self.halt(&run))
    }

    /// It is ready, and its supervisor is to look after this run.
    pub(crate) fn tell_started(&self) {
        let (run, policy) = self.life(|life| (life.starts, life.spec.policy()));
        self.post(News::Started { run, policy });
    }

    /// Whatever starts it from now on must be the test.
    pub(crate) fn leave_down(&self) {
        self.change_life(|life| (life.is_left_down, life.is_taken_down) = (true, false));
        self.tell_stop_asked();
    }

    pub(crate) fn tell_stop_asked(&self) {
        self.post(News::StopAsked { run: self.life(|life| life.starts) });
    }

    /// Whatever brings it down from now on brings it up again, until it is let go.
    pub(crate) fn take_in_hand(&self) {
        self.change_life(|life| life.hands += 1);
    }

    /// Whoever waits for a restart sees for itself what has come of it.
    pub(crate) fn let_go(&self) {
        self.change_life(|life| life.hands -= 1);
    }

    /// Notes that nobody starts it again. Of the last straw it is a failure, with the last start that failed.
    pub(crate) fn give_up(&self, farewell: Farewell, last_straw: Option<Option<Error>>) {
        let error = last_straw.map(|also| self.given_up_error(&farewell).and(also));
        self.change_life(|life| {
            life.troubles.extend(error);
            life.given_up = Some(farewell);
        });
    }

    fn given_up_error(&self, farewell: &Farewell) -> Error {
        self.with_fate(Error::new(Kind::GivenUp, farewell.why.clone()).fact("runs", &farewell.history))
    }

    /// What it ran, how that ended, and what it said last.
    fn with_fate(&self, error: Error) -> Error {
        let error = self.about(error, self.run().as_deref());
        let error = self.last_exit().into_iter().fold(error, Error::with_exit);
        self.run().into_iter().fold(error, |error, run: Arc<Run>| with_last_words(error, &run))
    }
}

/// How a run that is over ended, for a supervisor. A signal of the test causes a crash, and asks for no end.
pub(crate) fn end_of(state: &State) -> End {
    End { exit: state.phase.exit(), was_asked: state.is_asked_to_end && !state.was_signalled }
}
