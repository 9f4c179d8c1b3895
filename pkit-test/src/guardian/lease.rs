//! A lease of something that is shared: a connection to the broker of the run, which ends with whoever has it.
//!
//! ```text
//!             Start          Granted        Failed, Refused    Wait       the connection ends    deadline
//! Wanting     -> Starting    -> Leased      -> told            (noted)    -> nobody              -> too late
//! Starting    (never)        -> Leased      -> not granted     (noted)    -> lost                -> not granted
//! Leased      (never)        (never)        (never)            (never)    -> lost                (none)
//! ```
//! To all that orders runs and hears of them the connection is a [`Guardian`]: what is said about a run is the same in both, and
//! only the words in between are the broker's. What is said of a run before somebody attaches to it is kept for that; and what
//! was said before the grant is history, which is nobody's fault who comes after it.
//!
//! A fork of the test has the connection, too, and ends nothing with its copy.

use std::ffi::OsString;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::broker::protocol::{Ask, Granted, Want, Word};
use super::client::{Guardian, listen};
use super::run::{Run, State};
use super::wire::{self, Got, Inbox};
use crate::config::log;
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::limits::{LEASE_LOOK, REPLY_LIMIT};
use crate::sync::Monitor;
use crate::sys::child::own_pid;
use crate::sys::fd;
use crate::sys::random::random;

mod ending;
mod line;
mod starting;

pub(crate) use ending::Lease;
pub(crate) use line::{Joined, Line};
pub(crate) use starting::Starting;

/// The environment of a run, in which all that is shared in it is started.
pub(crate) type Environment = Arc<Vec<(OsString, OsString)>>;

/// What a want comes to.
#[derive(Debug)]
pub(crate) enum Answer {
    /// It is for this process to start it.
    Start(Starting),
    Granted(Attached),
    /// A start of it has failed: the error, as whoever started it has written it.
    Failed(Vec<u8>),
    /// There will be none, and for people why.
    Refused(String),
    /// The connection has ended without an answer: the broker is gone, and another one can be asked.
    Nobody,
}

/// Asks for it, until there is an answer.
///
/// # Errors
///
/// When there is none in time, when nobody wants it any more, and when what is needed for it is not there.
pub(crate) fn want(
    socket: UnixStream,
    want: &Want,
    deadline: Instant,
    is_given_up: &dyn Fn() -> bool,
) -> Result<Answer> {
    let system = |error| Error::system(format_args!("`{}` could not be asked for", want.name), error);
    let socket = UnixStream::from(fd::above_standard(socket.into()).map_err(system)?);
    // A broker that somebody has stopped does not read; whoever talks to it is not to wait for that for ever.
    socket.set_write_timeout(Some(REPLY_LIMIT)).map_err(system)?;
    let mut connection = Connection { socket, line: Line::default(), inbox: Inbox::default() };
    if wire::send(&connection.socket, &Ask::Want(want.clone()).to_frame(), None).is_err() {
        return Ok(Answer::Nobody);
    }
    match connection.first_word(want, deadline, is_given_up) {
        Ok(Some(word)) => connection.answer(word, want),
        nothing => {
            // A fork of this process may have the socket as well, and would go on wanting.
            let _ = connection.socket.shutdown(Shutdown::Both);
            nothing.map(|_| Answer::Nobody)
        }
    }
}

fn too_late(want: &Want, waited: Duration, why: &str) -> Error {
    Error::new(Kind::Timeout, format!("`{}` is shared, and was not to be had in time", want.name))
        .fact("spec", &want.shown)
        .fact("waited", in_words(waited))
        .fact("why", why)
        .fact("hint", "`PKIT_TIMEOUT_SCALE` makes all waits longer")
}

fn given_up(want: &Want) -> Error {
    Error::new(Kind::Cancelled, format!("`{}` was given up before it was there", want.name))
}

/// A connection to a broker that has answered.
struct Connection {
    socket: UnixStream,
    line: Line,
    /// With what came behind the answer.
    inbox: Inbox,
}

impl Connection {
    /// The first one that is an answer; `None` where the connection has ended before.
    fn first_word(&mut self, want: &Want, deadline: Instant, is_given_up: &dyn Fn() -> bool) -> Result<Option<Word>> {
        let began = Instant::now();
        // A broker that can say anything says at once whom one waits for.
        let mut why = "the broker of the run does not answer".to_owned();
        loop {
            // The order matters: the clock, the broker, the deadline. Whoever has stood still until then has what was said meanwhile.
            let now = Instant::now();
            let is_readable = fd::is_readable_until(self.socket.as_fd(), deadline.min(now + LEASE_LOOK));
            if is_readable && matches!(self.inbox.fill(&self.socket), Ok(Got::End) | Err(_)) {
                return Ok(None);
            }
            match self.word_but_wait(want, &mut why) {
                Ok(Some(word)) => return Ok(Some(word)),
                Ok(None) if is_given_up() => return Err(given_up(want)),
                Ok(None) if now >= deadline && !is_readable => return Err(too_late(want, began.elapsed(), &why)),
                Ok(None) => {}
                Err(_) => return Ok(None),
            }
        }
    }

    /// The next one of those that have come; whom one waits for is noted.
    fn word_but_wait(&mut self, want: &Want, why: &mut String) -> io::Result<Option<Word>> {
        loop {
            match self.line.next_of(&mut self.inbox)? {
                Some(Word::Wait(text)) => {
                    log(|| format!("shared {} is waited for: {text}", want.name));
                    *why = text;
                }
                word => return Ok(word),
            }
        }
    }

    fn answer(self, word: Word, want: &Want) -> Result<Answer> {
        Ok(match word {
            Word::Start { next_id } => Answer::Start(Starting::begin(self, next_id, want)?),
            Word::Granted(granted) => {
                // Only the end of its name is ever asked for.
                let directory = PathBuf::from(format!("lease-{:06x}", random() & 0xff_ffff));
                let guardian = self.listen(granted.next_id, directory).map_err(|error| not_attached(want, error))?;
                Answer::Granted(Attached::new(guardian, granted, want))
            }
            Word::Failed(error) => Answer::Failed(error),
            Word::Refused(why) => Answer::Refused(why),
            Word::Wait(_) | Word::Slate(_) | Word::Released(_) => Answer::Nobody,
        })
    }

    /// Lets a thread read it from now on.
    fn listen(self, next_id: u32, directory: PathBuf) -> io::Result<Arc<Guardian>> {
        let guardian = Arc::new(Guardian {
            socket: self.socket,
            writing: Mutex::new(()),
            child: None,
            owner: own_pid(),
            pid: 0,
            directory,
            runs: Mutex::default(),
            next_id: AtomicU32::new(next_id),
            is_dead: Monitor::new(false),
            line: Some(self.line),
        });
        listen(&guardian, self.inbox).map(|()| guardian)
    }
}

fn not_attached(want: &Want, error: io::Error) -> Error {
    Error::system(format_args!("`{}` is shared, and could not be listened to", want.name), error)
}

type OnEnd = Box<dyn FnOnce(&State) + Send>;

/// What is told of something shared to whoever has a lease of it.
#[derive(Debug)]
pub(crate) struct Attached {
    lease: Arc<Lease>,
    parts: Vec<Vec<u8>>,
    /// In which a process of it is started again by whoever has it alone.
    pub(crate) environment: Option<Environment>,
}

/// Where the output of a run is, and what is older than the lease: its first bytes, and so long.
#[derive(Debug, Clone)]
pub(crate) struct Past {
    pub(crate) log: PathBuf,
    pub(crate) bytes: u64,
    pub(crate) age: Duration,
}

impl Attached {
    fn new(guardian: Arc<Guardian>, granted: Granted, want: &Want) -> Attached {
        let lease = Lease::new(guardian, &granted, want);
        Attached { lease: Arc::new(lease), parts: granted.parts, environment: None }
    }

    pub(crate) fn lease(&self) -> &Arc<Lease> {
        &self.lease
    }

    /// What whoever started it has said in that place.
    pub(crate) fn part(&self, index: usize) -> Option<&[u8]> {
        self.parts.get(index).map(Vec::as_slice)
    }

    /// What the function of that run was given, and hands back. There for one caller.
    pub(crate) fn slate(&self, id: u32) -> Option<OwnedFd> {
        self.lease.guardian().line().take_slate(id)
    }

    /// The run of that id, with all that was said of it. Its end is told to `on_end` unless it was there before the lease.
    pub(crate) fn run(&self, id: u32, past: Past, on_end: OnEnd) -> Joined {
        let guardian = self.lease.guardian();
        guardian.attach(Run::shared(id, Arc::clone(guardian), past), on_end)
    }
}

#[cfg(test)]
mod tests;
