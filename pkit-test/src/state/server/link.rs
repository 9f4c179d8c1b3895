//! One connection to the server, and the language that is spoken on it.
//!
//! ```text
//!              bytes came        its request is answered   answer written      peer has closed
//! Listening    -> next request   (none)                    (none)              -> gone
//! Parked       kept for later    -> Writing                (none)              -> gone, and its wait with it
//! Writing      (not read)        (none)                    -> Listening        -> gone
//! ```
//!
//! Nothing is read while an answer cannot be written: whoever does not take them cannot ask for more.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;

use super::buffer::Buffer;
use super::dialect::{Asked, Dialect};
use crate::state::protocol::{Reply, Request};
use crate::state::wire::FRAME_BYTES;

#[derive(Debug)]
pub(super) struct Link {
    pub(super) stream: UnixStream,
    pub(super) session: Option<u32>,
    dialect: Option<Dialect>,
    /// What it has asked, where the answer has to know.
    asked: Option<Request>,
    /// What came and was not read yet.
    input: Buffer,
    /// What could not be written yet.
    output: Buffer,
    is_parked: bool,
    /// Nothing more comes, or is to be listened to: it is closed when its last answer is written.
    is_ending: bool,
    /// Its last answer was not taken.
    is_unheard: bool,
}

/// What came of a look for bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Filled {
    Some,
    Nothing,
    /// There will be no more.
    End,
}

impl Link {
    pub(super) fn new(stream: UnixStream) -> Link {
        Link {
            stream,
            session: None,
            dialect: None,
            asked: None,
            input: Buffer::default(),
            output: Buffer::default(),
            is_parked: false,
            is_ending: false,
            is_unheard: false,
        }
    }

    /// Its request is answered later.
    pub(super) fn park(&mut self) {
        self.is_parked = true;
    }

    /// After its last answer it is closed.
    pub(super) fn end(&mut self) {
        self.is_ending = true;
    }

    /// Nobody takes what it is told: it is closed as it is.
    pub(super) fn break_off(&mut self) {
        self.is_ending = true;
        self.is_unheard = true;
        self.input = Buffer::default();
        self.output = Buffer::default();
    }

    /// Whether the other side has closed it without hearing what became of its last request.
    pub(super) fn was_given_up(&self) -> bool {
        self.is_unheard || self.is_parked || self.is_full() || !self.input.is_empty()
    }

    /// Whether it can be closed.
    pub(super) fn is_done(&self) -> bool {
        self.is_ending && self.output.is_empty()
    }

    /// Whether an answer of it waits for room.
    pub(super) fn is_full(&self) -> bool {
        !self.output.is_empty()
    }

    /// Takes in some of what has come. The room is only borrowed.
    ///
    /// # Errors
    ///
    /// When the connection has broken, or asks on and on while it has to wait.
    pub(super) fn fill(&mut self, room: &mut [u8]) -> io::Result<Filled> {
        if self.is_ending {
            return Ok(Filled::End);
        }
        let count = match self.stream.read(room) {
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                return Ok(Filled::Nothing);
            }
            count => count?,
        };
        self.input.add(&room[..count]);
        if self.input.bytes().len() > 2 * FRAME_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.is_ending = count == 0;
        Ok(if self.is_ending { Filled::End } else { Filled::Some })
    }

    /// What it asks next, if it is its turn to ask.
    pub(super) fn next(&mut self) -> Option<Asked> {
        if self.is_parked || self.is_full() || self.input.is_empty() {
            return None;
        }
        let first = self.input.bytes()[0];
        let dialect = self.dialect.get_or_insert_with(|| Dialect::of(first));
        let (asked, taken) = dialect.next(self.input.bytes(), self.is_ending)?;
        self.input.take(taken);
        Some(asked)
    }

    pub(super) fn speaks_json(&self) -> bool {
        matches!(self.dialect, Some(Dialect::Json { .. }))
    }

    /// Keeps what was asked, if its answer has to know.
    pub(super) fn keep(&mut self, request: &Request) {
        self.asked = self.speaks_json().then(|| request.clone());
    }

    /// Answers. The room is only borrowed.
    ///
    /// # Errors
    ///
    /// When nobody takes it.
    pub(super) fn answer(&mut self, reply: &Reply, room: &mut Vec<u8>) -> io::Result<()> {
        self.is_parked = false;
        room.clear();
        if let Some(dialect) = &self.dialect {
            dialect.write(self.asked.take().as_ref(), reply, room);
        }
        let count = write(&self.stream, room)?;
        self.output.add(&room[count..]);
        Ok(())
    }

    /// Writes on.
    ///
    /// # Errors
    ///
    /// When nobody takes it.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let count = write(&self.stream, self.output.bytes())?;
        self.output.take(count);
        Ok(())
    }
}

/// As much as goes, and how much that was.
fn write(mut stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    let mut count = 0;
    while count < bytes.len() {
        match stream.write(&bytes[count..]) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(more) => count += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}
