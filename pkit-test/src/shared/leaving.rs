//! The end of a test's hold on a shared server: what it has made is undone, once, and what went wrong with that is said.
//!
//! ```text
//! who comes first                    what follows
//! the view is dropped in the body    what needs it stops, it is undone, and the end of the scope says what went wrong
//! the view is dropped with the body  nothing: the end of the scope has its order
//! the end of the scope               it is undone behind all processes of the test, wherever the view is by now
//! the end of the process, however    the broker of the run has it undone; nobody is left to be told
//! ```

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use crate::config::{Show, config, log, say};
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::ground::{Last, Scope};
use crate::guardian::broker::protocol::Undone;
use crate::handle::{Core, with_words_of};
use crate::output::LogFiles;
use crate::start::failure::refusal;
use crate::sync::lock;

const NEVER_AGAIN: &str = "no other test of this run gets it, for what was made may be there still";

/// Lets go of the server, and says what became of what was to be undone.
pub(super) type Release = Box<dyn FnOnce(bool) -> Result<Undone> + Send>;

/// How it is with one view, for whoever ends it first.
pub(super) struct Leaving {
    pub(super) about: About,
    /// Held while it is undone, so that whoever comes second finds it done.
    release: Mutex<Option<Release>>,
    trouble: Mutex<Option<Error>>,
    /// The name of the member, and its scope, if that has an end of its own.
    member: String,
    scope: Option<Weak<Scope>>,
}

/// What is said of it.
#[derive(Debug, Clone)]
pub(super) struct About {
    pub(super) name: String,
    /// The seat, in words.
    pub(super) seat: String,
    /// What undoes, as it was written, and what runs.
    pub(super) shown: String,
    pub(super) ran: String,
    pub(super) user: Option<String>,
    pub(super) limit: Duration,
}

impl Leaving {
    pub(super) fn new(about: About, release: Release, member: &str, scope: &Arc<Scope>) -> Arc<Leaving> {
        let managed = scope.is_managed.then(|| Arc::downgrade(scope));
        let (release, member) = (Mutex::new(Some(release)), member.to_owned());
        let leaving = Arc::new(Leaving { about, release, trouble: Mutex::new(None), member, scope: managed });
        if scope.is_managed {
            scope.finally(Arc::<Leaving>::clone(&leaving));
        }
        leaving
    }

    /// Has it undone, unless that was done. The first one is told what went wrong.
    pub(super) fn leave(&self, has_failed: bool) -> Result<()> {
        let mut release = lock(&self.release);
        let Some(release) = release.take() else { return Ok(()) };
        log(|| format!("undo what the test has made of {} ({})", self.about.name, self.about.seat));
        self.about.judge(release(has_failed))
    }

    /// The view is gone.
    pub(super) fn dropped(&self) {
        let has_failed = std::thread::panicking();
        let scope = self.scope.as_ref().and_then(Weak::upgrade);
        match scope {
            // The end of the scope does it in its order; or leaves it, for people to look at.
            Some(scope) if scope.is_end_near() => {}
            Some(scope) if config().keep != Show::Never && (has_failed || scope.is_done()) => {}
            Some(scope) => {
                scope.cores_before(&self.member).iter().rev().for_each(Core::stop_with_dependents);
                let trouble = self.leave(has_failed).err();
                *lock(&self.trouble) = trouble;
            }
            None if config().keep.applies(has_failed) => self.keep(),
            // Nobody else will say it.
            None => self.leave(has_failed).err().iter().for_each(|error| say(&format!("{error}\n"))),
        }
    }

    /// For people to look at: nothing is undone as long as this process lives.
    fn keep(&self) {
        std::mem::forget(lock(&self.release).take());
    }
}

impl Last for Leaving {
    fn end(&self, has_failed: bool) -> Option<Error> {
        let trouble = self.leave(has_failed).err();
        trouble.or_else(|| lock(&self.trouble).take())
    }

    fn keep(&self) {
        Leaving::keep(self);
    }
}

impl About {
    fn judge(&self, undone: Result<Undone>) -> Result<()> {
        match undone {
            // With the server all is gone that was made of it; who has not asked for that is told by others.
            Ok(Undone::Nothing | Undone::Lost) => Ok(()),
            Ok(Undone::Ended { exit, was_late: false, log }) if exit.success() => {
                LogFiles::at(&log).remove();
                Ok(())
            }
            Ok(Undone::Ended { exit, was_late, log }) => {
                let (kind, how) = match was_late {
                    true => (Kind::Timeout, "took too long"),
                    false => (Kind::Unexpected, "failed"),
                };
                let error = self.facts(Error::new(kind, format!("undo of `{}` {how}", self.name)));
                let waited = if was_late { in_words(self.limit) } else { String::new() };
                let error = error.fact("waited", waited).with_exit(exit).fact("slot", NEVER_AGAIN);
                Err(with_words_of(error, &log, 0))
            }
            Ok(Undone::Refused { step, errno }) => {
                let (step, error) = (crate::sys::child::Step::from_number(step), io::Error::from_raw_os_error(errno));
                let (kind, why) = refusal(self.user.as_deref(), step, &error);
                let error = Error::new(kind, format!("undo of `{}` was not started: {why}", self.name));
                Err(self.facts(error).fact("slot", NEVER_AGAIN))
            }
            Err(error) => {
                let title = format!("undo of `{}` is not known to have ended: {}", self.name, error.title());
                Err(self.facts(Error::new(error.kind(), title)))
            }
        }
    }

    fn facts(&self, error: Error) -> Error {
        error.fact("undo", &self.shown).fact("ran", &self.ran).fact("seat", &self.seat)
    }
}

impl fmt::Debug for Leaving {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leaving").field("of", &self.about.name).finish_non_exhaustive()
    }
}
