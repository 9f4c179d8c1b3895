//! One worker of a pool: its process, and the way to it, which the pool can cut at any time.

use std::fmt;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::attend::SOCKET;
use super::timed;
use crate::error::{Error, Kind, Result};
use crate::function::failure::{Failure, Ran};
use crate::function::worker::Worker;
use crate::guardian::run::Run;
use crate::handle::Life;
use crate::parcel::Outcome;
use crate::sync::lock;

#[derive(Debug)]
pub(super) struct Member {
    pub(super) worker: Worker<()>,
    item_timeout: Option<Duration>,
    way: Mutex<Way>,
}

/// The way to it. Only its driver goes it; the pool may cut it.
#[derive(Debug, Default)]
struct Way {
    link: Option<Link>,
    is_starting: bool,
    is_cut: bool,
}

/// A connection, and whose other end it is: the test may start the process again by itself.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) stream: Arc<UnixStream>,
    run: Arc<Run>,
}

impl Member {
    /// One that is up.
    pub(super) fn new(worker: Worker<()>, item_timeout: Option<Duration>) -> Member {
        Member { worker, item_timeout, way: Mutex::default() }
    }

    /// The connection to it. Where there is none it is started first, unless it runs and nobody has spoken to it yet.
    ///
    /// # Errors
    ///
    /// When it cannot be started, or the pool is being dropped.
    pub(super) fn link(&self) -> Result<Link> {
        {
            let mut way = lock(&self.way);
            if way.is_cut {
                return Err(cut());
            }
            if let Some(link) = &way.link {
                return Ok(link.clone());
            }
            way.is_starting = true;
        }
        let fresh = self.worker.is_alive().then(|| self.connect());
        // One that has died by now, or has been spoken to, does not listen.
        let made = fresh.and_then(Result::ok).map_or_else(|| self.start_again(), Ok);
        let mut way = lock(&self.way);
        way.is_starting = false;
        if way.is_cut {
            return Err(cut());
        }
        Ok(way.link.insert(made?).clone())
    }

    fn start_again(&self) -> Result<Link> {
        if self.worker.is_alive() {
            // What cannot be killed cannot be started, which says more.
            let _ = self.worker.kill();
        }
        self.worker.start()?;
        self.connect()
    }

    fn connect(&self) -> Result<Link> {
        let trouble = |error| Error::system(format_args!("`{}` cannot be spoken to", self.worker.name()), error);
        let run = self.worker.core.run_or_error("speak to it")?;
        let stream = UnixStream::connect(self.worker.dir().join(SOCKET)).map_err(trouble)?;
        timed::prepare(&stream, self.item_timeout).map_err(trouble)?;
        Ok(Link { stream: Arc::new(stream), run })
    }

    /// Closes the connection, if there is one, as soon as nobody uses it any more.
    pub(super) fn unlink(&self) -> Option<Arc<Run>> {
        lock(&self.way).link.take().map(|link| link.run)
    }

    /// Lets its driver hear nothing more, and start nothing.
    pub(super) fn cut(&self) {
        let is_starting = {
            let mut way = lock(&self.way);
            way.is_cut = true;
            // One that is gone already needs no end.
            way.link.iter().for_each(|link| drop(link.stream.shutdown(Shutdown::Both)));
            way.is_starting
        };
        self.worker.core.retire();
        if is_starting {
            // The start returns then. What cannot be killed ends the start by its timeout.
            let _ = self.worker.kill();
        }
    }

    /// Why a run is over, in the name of the function that it was at; `None` where it is not by the deadline.
    pub(super) fn post_mortem(&self, run: &Arc<Run>, name: &str, deadline: Instant) -> Option<Failure> {
        let core = &self.worker.core;
        let phase = run.wait_over(Some(deadline))?;
        let Some(exit) = phase.exit() else { return Some(Failure::error(&core.ended_error("wait for it", phase))) };
        let parcel = core.life(|life| life.parcel.clone().filter(|_| is_current(life, run)));
        let panic = parcel.and_then(|parcel| parcel.panic());
        Some(Failure::of(Ran { name, exit, outcome: Outcome::Nothing, panic, last_words: None }))
    }

    /// Kills the process if that is the run of it.
    pub(super) fn kill(&self, run: &Arc<Run>) {
        if self.worker.core.life(|life| is_current(life, run)) {
            // One that cannot be killed is found running where it is to be started again, which is the failure of the next item.
            let _ = self.worker.kill();
        }
    }
}

fn is_current(life: &Life, run: &Arc<Run>) -> bool {
    life.run.as_ref().is_some_and(|current| Arc::ptr_eq(current, run))
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.stream.fmt(f)
    }
}

fn cut() -> Error {
    Error::new(Kind::State, "the pool was dropped")
}
