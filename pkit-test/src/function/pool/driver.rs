//! The thread of one worker: gives it one item after the other, and sees what becomes of both.
//!
//! ```text
//!              item               answer          end, nonsense         too late             pool dropped
//! Down         -> Idle (start)    (none)          (none)                (none)               -> Gone
//! Idle         -> Busy            -> Down, crash  -> Down, next item    (none)               -> Gone, at its end of file
//! Busy         (waits)            -> Idle         -> Down, item failed  -> Down, item failed -> Gone, item dropped
//! ```
//!
//! A worker that ends while it has nothing to do is met where it is given the next item: that one has not begun, and is given to
//! its successor. An item is begun when its worker has read all of it, from where on the end of the worker is its crash. Of what
//! was sent to a worker that ends without having read it Linux says so; elsewhere it is begun when all of it was sent.

use std::io;
use std::sync::Arc;

use super::Shared;
use super::frame::{ANSWER_BYTES, AnswerHead, Kind};
use super::inbox::Inbox;
use super::job::Job;
use super::member::Member;
use super::timed::{Timed, is_late};
use crate::config::deadline_in;
use crate::error::Error;
use crate::function::failure::Failure;
use crate::guardian::run::Run;
use crate::limits::{IDLE_DEATHS, LAST_BREATH, RESULT_BYTES};
use crate::parcel::{Outcome, PanicNote};

pub(super) struct Driver {
    shared: Arc<Shared>,
    member: Arc<Member>,
    inbox: Inbox,
    /// The item that the pool was dropped under still runs.
    is_busy: bool,
}

/// What a worker has answered.
enum Reply {
    /// What the item returned is in the inbox.
    Returned,
    Failed(Failure),
}

/// Why there is no answer.
enum Trouble {
    /// The worker has died of the item, or was killed since it answered nonsense.
    Crash(Failure),
    /// The worker was killed since the item took too long.
    Late(Failure),
    /// There is no worker, and cannot be one.
    NoWorker(Failure),
    /// The pool is being dropped.
    Dropped,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, member: Arc<Member>) -> Driver {
        Driver { shared, member, inbox: Inbox::new(), is_busy: false }
    }

    pub(super) fn run(mut self) {
        while let Some(job) = self.shared.queue.take() {
            self.serve(job);
        }
        self.leave();
    }

    fn serve(&mut self, mut job: Job) {
        let number = job.number;
        match self.attempt(&job) {
            Ok(Reply::Returned) => job.returned(&self.inbox.bytes()[ANSWER_BYTES..]),
            Ok(Reply::Failed(failure)) | Err(Trouble::NoWorker(failure)) => job.failed(failure.of_item(number)),
            Err(Trouble::Late(failure)) => job.failed(self.shared.note(failure.of_item(number))),
            Err(Trouble::Dropped) => {}
            Err(Trouble::Crash(failure)) => {
                let failure = self.shared.note(failure.of_item(number));
                if job.crashes == self.shared.retries {
                    return job.failed(failure);
                }
                job.crashes += 1;
                self.shared.queue.put_back(job);
            }
        }
    }

    fn attempt(&mut self, job: &Job) -> Result<Reply, Trouble> {
        let mut sends = 0;
        loop {
            let link = self.member.link().map_err(|error| self.no_worker(&error))?;
            let mut timed = Timed::new(&link.stream, self.shared.item_timeout);
            match timed.write(job.message()) {
                Ok(()) => {
                    if let Some(reply) = self.answer(job, timed)? {
                        return Ok(reply);
                    }
                }
                Err(error) if is_late(&error) => return Err(self.late(job)),
                Err(_) => {}
            }
            drop(link);
            let death = self.bury(job.name())?;
            sends += 1;
            if sends == IDLE_DEATHS {
                // Whoever dies three times of being told something does so because of it.
                return Err(Trouble::Crash(death));
            }
            self.shared.note(death);
        }
    }

    /// `None` where the worker has ended without having read all of the item.
    fn answer(&mut self, job: &Job, mut timed: Timed<'_>) -> Result<Option<Reply>, Trouble> {
        self.inbox.clear();
        let has_head = self.inbox.fill(ANSWER_BYTES, |room| timed.read(room));
        let head = match has_head {
            Ok(true) => AnswerHead::from_bytes(self.inbox.head()).filter(|head| head.length <= RESULT_BYTES),
            Ok(false) => return self.crashed(job),
            // So ends a connection over which something was on its way to whoever has closed it.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset && self.inbox.bytes().is_empty() => {
                return Ok(None);
            }
            Err(error) => return self.broken(job, &error),
        };
        let Some(head) = head else { return self.nonsense(job) };
        let end = ANSWER_BYTES + head.length as usize;
        match self.inbox.fill(end, |room| timed.read(room)) {
            Ok(true) if self.inbox.bytes().len() == end => {}
            Ok(true) => return self.nonsense(job),
            Ok(false) => return self.crashed(job),
            Err(error) => return self.broken(job, &error),
        }
        match timed.finish() {
            Ok(()) => Ok(Some(self.reply(job, head.kind))),
            Err(error) => self.broken(job, &error),
        }
    }

    fn reply(&self, job: &Job, kind: Kind) -> Reply {
        let body = &self.inbox.bytes()[ANSWER_BYTES..];
        let said = || String::from_utf8_lossy(body).into_owned();
        let (outcome, panic) = match kind {
            Kind::Returned => return Reply::Returned,
            Kind::NotSerialized => (Outcome::NotSerialized(said()), None),
            Kind::TooLarge => (Outcome::TooLarge { limit: RESULT_BYTES }, None),
            Kind::NotUnderstood => (Outcome::NotUnderstood(said()), None),
            Kind::Panicked => (Outcome::Panicked, PanicNote::from_bytes(body)),
        };
        Reply::Failed(Failure::answered(job.name(), outcome, panic))
    }

    fn no_worker(&self, error: &Error) -> Trouble {
        if self.shared.queue.is_closed() { Trouble::Dropped } else { Trouble::NoWorker(Failure::error(error)) }
    }

    fn crashed<T>(&mut self, job: &Job) -> Result<T, Trouble> {
        Err(Trouble::Crash(self.bury(job.name())?))
    }

    /// A connection that cannot be read from.
    fn broken<T>(&mut self, job: &Job, error: &io::Error) -> Result<T, Trouble> {
        if is_late(error) { Err(self.late(job)) } else { self.crashed(job) }
    }

    fn nonsense<T>(&mut self, job: &Job) -> Result<T, Trouble> {
        self.kill()?;
        Err(Trouble::Crash(Failure::nonsense(job.name())))
    }

    fn late(&mut self, job: &Job) -> Trouble {
        let limit = self.shared.item_timeout.unwrap_or_default();
        let late = Trouble::Late(Failure::timeout(job.name(), limit));
        self.kill().map_or_else(|dropped| dropped, |()| late)
    }

    /// Its connection has come to an end. Says how the worker did.
    fn bury(&mut self, name: &str) -> Result<Failure, Trouble> {
        let run = self.unlink()?;
        let death = self.member.post_mortem(&run, name, deadline_in(LAST_BREATH));
        Ok(death.unwrap_or_else(|| {
            // It lives: somebody has closed the connection over there.
            self.member.kill(&run);
            Failure::cut_off(name)
        }))
    }

    /// What still runs is not wanted any more.
    fn kill(&mut self) -> Result<(), Trouble> {
        let run = self.unlink()?;
        self.member.kill(&run);
        Ok(())
    }

    /// The connection is of no use any more; unless it was cut because the pool is being dropped.
    fn unlink(&mut self) -> Result<Arc<Run>, Trouble> {
        if self.shared.queue.is_closed() {
            self.is_busy = true;
            return Err(Trouble::Dropped);
        }
        Ok(self.member.unlink().expect("what has failed was a connection"))
    }

    /// The pool is being dropped. A worker that has nothing to do ends by itself, as any program would; what an item does is
    /// stopped.
    fn leave(&self) {
        if let Some(run) = self.member.unlink().filter(|_| !self.is_busy) {
            // Whether it is gone by then is looked at by the stop.
            let _ = run.wait_over(Some(deadline_in(LAST_BREATH)));
        }
        let core = &self.member.worker.core;
        if !core.is_over() {
            core.stop_with_dependents();
        }
    }
}

/// Also when it panics: where nobody is left to take items, nobody is to wait for them.
impl Drop for Driver {
    fn drop(&mut self) {
        self.shared.driver_left();
    }
}
