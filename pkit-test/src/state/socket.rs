//! The way to a server over its unix socket.
//!
//! A request that is answered in one piece costs two system calls. Its limit of time is one that the socket has from the
//! beginning; what may wait longer by itself looks at the clock only when that one is over.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{OnceLock, Weak};
use std::time::{Duration, Instant};

use super::backend::{Backend, Link};
use super::life::Owner;
use super::own;
use super::protocol::{Refusal, Reply, Request};
use super::wire::{self, FRAME_BYTES, HEAD_BYTES, PROTOCOL};
use crate::config::scaled;
use crate::error::{Error, Kind, Result};
use crate::limits::STATE_ANSWER_LIMIT;
use crate::sys::socket::connect_unix;
use crate::sys::user::{name_of, own_uid};

/// How much room a link keeps for the next request and its answer.
const KEPT_BYTES: usize = 64 * 1024;

/// How much of an answer is read at first.
const READ_BYTES: usize = 4096;

/// The shortest time that a socket can wait, in which it takes what is there.
const A_MOMENT: Duration = Duration::from_micros(1);

/// A server, for this process.
#[derive(Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    /// Which server it is, once that is known: another one at the same place knows nothing of what this one kept.
    server: OnceLock<u64>,
    /// Who can say how it has ended.
    owner: OnceLock<Weak<Owner>>,
    /// As whom it greets, instead of as this process.
    guise: Option<(u64, String)>,
}

impl Socket {
    /// At a path, and a certain one if its number is given.
    pub(crate) fn new(path: PathBuf, server: Option<u64>) -> Socket {
        let known = server.map_or_else(OnceLock::new, OnceLock::from);
        Socket { path, server: known, owner: OnceLock::new(), guise: None }
    }

    /// For another process than this one.
    #[cfg(test)]
    pub(crate) fn in_guise(path: PathBuf, nonce: u64, name: &str) -> Socket {
        Socket { guise: Some((nonce, name.to_owned())), ..Socket::new(path, None) }
    }

    fn connect(&self) -> Result<Wire> {
        let limit = scaled(STATE_ANSWER_LIMIT);
        let connected = connect_unix(&self.path, limit).and_then(|stream| Wire::new(stream, limit));
        connected.map_err(|error| match error.kind() {
            io::ErrorKind::PermissionDenied => self.denied(error),
            io::ErrorKind::WouldBlock => self.lost(io::ErrorKind::TimedOut.into()),
            _ => self.lost(error),
        })
    }

    /// A link on which everything has been said that comes first; or why that was not answered.
    fn greet(&self) -> Result<io::Result<Box<dyn Link>>> {
        let mut link = self.connect()?;
        match link.ask(&self.hello(), scaled(STATE_ANSWER_LIMIT)) {
            Ok(reply) => self.greeted(reply).map(|()| Ok(Box::new(link) as Box<dyn Link>)),
            Err(why) => Ok(Err(why)),
        }
    }

    fn hello(&self) -> Request {
        let (nonce, name) = self.guise.clone().unwrap_or_else(|| (own::nonce(), own::name()));
        Request::Hello { protocol: PROTOCOL, nonce, name }
    }

    fn greeted(&self, reply: Reply) -> Result<()> {
        let title = || format!("{} cannot be used", self.shown());
        match reply {
            Reply::Welcome { server } if *self.server.get_or_init(|| server) == server => Ok(()),
            Reply::Welcome { .. } => Err(Error::new(Kind::StateGone, format!("{} is gone", self.shown()))
                .fact("why", "another one is at the same place, which was started after it")),
            Reply::Refused(Refusal::OtherProtocol(version)) => Err(Error::new(Kind::Unsupported, title())
                .fact(
                    "why",
                    format!("it speaks version {version} of the protocol, and this program version {PROTOCOL}"),
                )
                .fact("hint", "both have to use versions of pkit-test that fit")),
            _ => Err(Error::new(Kind::Unsupported, title()).fact("why", "what answers there is no state")),
        }
    }

    fn denied(&self, error: io::Error) -> Error {
        Error::system(format_args!("{} cannot be reached", self.shown()), error)
            .fact("path", self.path.display().to_string())
            .fact("user", name_of(own_uid()))
            .fact("hint", "all directories above its socket have to let this user pass")
    }

    /// What people call it.
    fn shown(&self) -> String {
        let owner = self.owner.get().and_then(Weak::upgrade);
        let name = owner.map(|owner| owner.name().to_owned());
        name.map_or_else(|| format!("the state at {}", self.path.display()), |name| format!("the state `{name}`"))
    }

    /// It is there, and has sent us away before we could say a word.
    fn unwelcome(&self, why: io::Error) -> Error {
        if !is_cut_off(&why) {
            return self.lost(why);
        }
        Error::system(format_args!("{} lets nobody else in", self.shown()), why)
            .fact("path", self.path.display().to_string())
            .fact("hint", "it has as many connections as a process may have open files: see `ulimit -n`")
    }

    fn gone(&self, why: &io::Error) -> Error {
        let error = Error::new(Kind::StateGone, format!("{} is gone", self.shown()));
        match self.owner.get().and_then(Weak::upgrade) {
            Some(owner) => owner.tell_end(error),
            None => error.fact("why", reason(&self.path, why)).fact("hint", LAST_HANDLE),
        }
    }

    fn silent(&self) -> Error {
        let limit = scaled(STATE_ANSWER_LIMIT);
        Error::new(Kind::Timeout, format!("{} does not answer", self.shown()))
            .fact("limit", format!("{limit:?}"))
            .fact("path", self.path.display().to_string())
    }
}

/// What is easily overlooked: the argument of a function is used up when that is made.
const LAST_HANDLE: &str = "it ends with the last handle of the process that has started it; a function gets a clone: function(f, state.clone())";

/// Why it may be gone, where nobody knows.
fn reason(path: &Path, why: &io::Error) -> String {
    if path.exists() {
        format!("its server has ended: {why}")
    } else {
        "its server has ended, and its socket with it".to_owned()
    }
}

impl Backend for Socket {
    fn link(&self) -> Result<Box<dyn Link>> {
        // Whoever dies closes what was let in, then its door with those before it, and then nobody comes that far.
        for _ in 0..2 {
            match self.greet()? {
                Ok(link) => return Ok(link),
                Err(why) if is_cut_off(&why) => {}
                Err(why) => return Err(self.lost(why)),
            }
        }
        self.greet()?.map_err(|why| self.unwelcome(why))
    }

    fn lost(&self, why: io::Error) -> Error {
        if why.kind() == io::ErrorKind::TimedOut { self.silent() } else { self.gone(&why) }
    }

    fn path(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn server(&self) -> Option<u64> {
        self.server.get().copied()
    }

    fn belongs_to(&self, owner: Weak<Owner>) {
        // It has one, from its beginning on.
        let _ = self.owner.set(owner);
    }
}

/// One connection.
#[derive(Debug)]
struct Wire {
    stream: UnixStream,
    /// How long the socket waits by itself.
    usual: Duration,
    is_short: bool,
    request: Vec<u8>,
    /// All of it is room for answers.
    reply: Vec<u8>,
}

impl Wire {
    fn new(stream: UnixStream, usual: Duration) -> io::Result<Wire> {
        stream.set_read_timeout(Some(usual))?;
        Ok(Wire { stream, usual, is_short: false, request: Vec::new(), reply: vec![0; READ_BYTES] })
    }

    /// # Errors
    ///
    /// `TimedOut`, or `BrokenPipe` whatever it was: a request that was not written whole is not understood.
    fn write(&mut self) -> io::Result<()> {
        match self.stream.write_all(&self.request) {
            Err(error) if is_late(&error) => Err(io::ErrorKind::TimedOut.into()),
            Err(_) => Err(io::ErrorKind::BrokenPipe.into()),
            Ok(()) => Ok(()),
        }
    }

    fn read(&mut self, limit: Duration) -> io::Result<Reply> {
        let began = Instant::now();
        let mut filled = 0;
        loop {
            filled += self.read_some(filled, began, limit)?;
            let length = wire::frame_length(&self.reply[..filled]).map_err(|_| io::ErrorKind::InvalidData)?;
            match length {
                Some(length) if length > filled => self.reply.resize(length.max(self.reply.len()), 0),
                Some(length) if length == filled => {
                    let reply = wire::read(&self.reply[HEAD_BYTES..length]);
                    return reply.ok_or_else(|| io::ErrorKind::InvalidData.into());
                }
                Some(_) => return Err(io::ErrorKind::InvalidData.into()),
                None => {}
            }
        }
    }

    /// How many bytes have come behind those that were there.
    ///
    /// The order matters: the clock is read, the socket is asked, and then the limit holds. Whoever was stopped for so long that
    /// the time is over has an answer all the same if one has come meanwhile: else a permit would be nobody's, and an item lost.
    fn read_some(&mut self, filled: usize, began: Instant, limit: Duration) -> io::Result<usize> {
        let mut is_late_already = false;
        loop {
            match self.stream.read(&mut self.reply[filled..]) {
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Err(error) if is_late(&error) || error.kind() == io::ErrorKind::Interrupted => {}
                count => return count,
            }
            if is_late_already {
                return Err(io::ErrorKind::TimedOut.into());
            }
            let left = limit.saturating_sub(began.elapsed());
            is_late_already = left.is_zero();
            if left < self.usual {
                self.is_short = true;
                self.stream.set_read_timeout(Some(left.max(A_MOMENT)))?;
            }
        }
    }

    /// The next one has all of its time, and no more room than it needs.
    fn rest(&mut self) -> io::Result<()> {
        self.request.shrink_to(KEPT_BYTES);
        if self.reply.len() > KEPT_BYTES {
            self.reply = vec![0; READ_BYTES];
        }
        if std::mem::take(&mut self.is_short) { self.stream.set_read_timeout(Some(self.usual)) } else { Ok(()) }
    }
}

impl Link for Wire {
    fn ask(&mut self, request: &Request, limit: Duration) -> io::Result<Reply> {
        self.request.clear();
        if let Err(bytes) = wire::append(&mut self.request, request) {
            return Ok(Reply::Refused(Refusal::TooLarge { bytes, limit: FRAME_BYTES as u64 }));
        }
        self.write()?;
        let reply = self.read(limit)?;
        self.rest()?;
        Ok(reply)
    }
}

fn is_cut_off(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

fn is_late(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}

#[cfg(test)]
mod tests;
