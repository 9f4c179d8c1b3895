//! What a test and its function process have to say to each other, on a slate.
//!
//! ```text
//! 0            lengths of the arguments and of the surroundings, then both          written by the test, then only read
//! next page    the head: stage, outcome, notes                                      written by the function process
//!   + 1 page   two places for the note of a panic, written in turn
//!   + 1 page   the result, or a text that says why there is none
//! ```
//!
//! Each change is made by one store of a number, after what the number is about was written: a process may be killed at any
//! point, and what it has said before that stays said.

use std::io::{self, Write};
use std::os::fd::OwnedFd;

use crate::limits::{NOTE_BYTES, RESULT_BYTES, RESULT_TEXT_BYTES};
use crate::sys::slate::{self, Given, Mapped, PAGE_BYTES, Slate};

mod letter;
mod note;
mod surroundings;

pub(crate) use note::{PanicNote, Place};
pub(crate) use surroundings::{PeerAddress, Surroundings};

/// The two lengths.
const ARGUMENTS_LENGTH: u64 = 0;
const SURROUNDINGS_LENGTH: u64 = 8;
const ARGUMENTS: u64 = 16;

/// In the head.
const STAGE: u64 = 0;
const OUTCOME: u64 = 8;
const OUTCOME_NUMBER: u64 = 16;
const WHICH_NOTE: u64 = 24;
const NOTE_LENGTHS: [u64; 2] = [32, 40];
/// Behind the head.
const NOTES: [u64; 2] = [PAGE_BYTES, PAGE_BYTES + NOTE_BYTES];
const RESULT: u64 = PAGE_BYTES + 2 * NOTE_BYTES;
/// What is always mapped: room for the head, the notes, and a text.
const LEAST: u64 = RESULT + RESULT_TEXT_BYTES;

/// How far a function process has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Stage {
    /// It has not begun yet.
    Packed,
    /// The function is about to run.
    Begun,
    /// It has said that it is ready.
    SaidReady,
}

/// What became of a function, as far as its process could say so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It has not said anything: it runs, or was ended.
    Nothing,
    Returned(Vec<u8>),
    NotSerialized(String),
    TooLarge {
        limit: u64,
    },
    /// Its arguments were no such thing.
    NotUnderstood(String),
    Panicked,
}

/// What a function process says in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending<'a> {
    /// The result was written, and has so many bytes.
    Returned(u64),
    NotSerialized(&'a str),
    TooLarge {
        limit: u64,
    },
    NotUnderstood(&'a str),
    Panicked,
}

/// The side of the test.
#[derive(Debug)]
pub(crate) struct Parcel {
    slate: Slate,
    head: u64,
}

impl Parcel {
    /// # Errors
    ///
    /// When the system has no room for it.
    pub(crate) fn pack(arguments: &[u8], surroundings: &Surroundings) -> io::Result<Parcel> {
        let surroundings = surroundings.to_bytes();
        let lengths = [arguments.len() as u64, surroundings.len() as u64];
        let head = head_after(lengths).ok_or(io::ErrorKind::FileTooLarge)?;
        let slate = Slate::new(head + LEAST, head + RESULT + RESULT_BYTES)?;
        slate.write_at(ARGUMENTS_LENGTH, &lengths[0].to_ne_bytes())?;
        slate.write_at(SURROUNDINGS_LENGTH, &lengths[1].to_ne_bytes())?;
        slate.write_at(ARGUMENTS, arguments)?;
        slate.write_at(ARGUMENTS + lengths[0], &surroundings)?;
        Ok(Parcel { slate, head })
    }

    /// The one that somebody else has packed.
    ///
    /// # Errors
    ///
    /// When it is something else.
    pub(crate) fn of_slate(slate: OwnedFd) -> io::Result<Parcel> {
        let slate = Slate::given(slate);
        let lengths = [slate.number_at(ARGUMENTS_LENGTH)?, slate.number_at(SURROUNDINGS_LENGTH)?];
        let head = head_after(lengths).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Parcel { slate, head })
    }

    /// For the function process.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.slate.descriptor()
    }

    pub(crate) fn stage(&self) -> Stage {
        match self.number(STAGE) {
            0 => Stage::Packed,
            1 => Stage::Begun,
            _ => Stage::SaidReady,
        }
    }

    /// What it has said in the end; asked when it is gone.
    pub(crate) fn outcome(&self) -> Outcome {
        let number = self.number(OUTCOME_NUMBER);
        match self.number(OUTCOME) {
            1 => self.read(RESULT, number, RESULT_BYTES).map_or(Outcome::Nothing, Outcome::Returned),
            2 => Outcome::NotSerialized(self.text(number)),
            3 => Outcome::TooLarge { limit: number },
            4 => Outcome::NotUnderstood(self.text(number)),
            5 => Outcome::Panicked,
            _ => Outcome::Nothing,
        }
    }

    /// The last panic that it has noted, whether or not it ended it.
    pub(crate) fn panic(&self) -> Option<PanicNote> {
        let which = usize::try_from(self.number(WHICH_NOTE)).ok()?.checked_sub(1).filter(|which| *which < 2)?;
        let length = self.number(NOTE_LENGTHS[which]);
        PanicNote::from_bytes(&self.read(NOTES[which], length, NOTE_BYTES)?)
    }

    fn text(&self, length: u64) -> String {
        let bytes = self.read(RESULT, length, RESULT_TEXT_BYTES).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// What cannot be read was not written.
    fn number(&self, at: u64) -> u64 {
        self.slate.number_at(self.head + at).unwrap_or_default()
    }

    /// The process may have written anything there, also a length that nothing has.
    fn read(&self, at: u64, length: u64, limit: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; usize::try_from(length).ok().filter(|_| length <= limit)?];
        self.slate.read_at(self.head + at, &mut bytes).ok()?;
        Some(bytes)
    }
}

/// Where the head begins: what comes before it is mapped by itself.
fn head_after(lengths: [u64; 2]) -> Option<u64> {
    let used = ARGUMENTS.checked_add(lengths[0])?.checked_add(lengths[1])?;
    // Beyond it there must be room for the rest, in numbers with a sign.
    used.checked_next_multiple_of(PAGE_BYTES).filter(|head| *head <= u64::MAX / 4)
}

/// The side of the function process. Needs no descriptor.
#[derive(Debug)]
pub(crate) struct Unpacked {
    given: Given,
    lengths: [usize; 2],
    surroundings: Surroundings,
    mapped: Mapped,
}

impl Unpacked {
    /// # Errors
    ///
    /// When it cannot be mapped, or when it is something else.
    pub(crate) fn open(descriptor: &OwnedFd) -> io::Result<Unpacked> {
        let [arguments, surroundings] =
            [slate::number_at(descriptor, ARGUMENTS_LENGTH)?, slate::number_at(descriptor, SURROUNDINGS_LENGTH)?];
        let head = head_after([arguments, surroundings]).ok_or(io::ErrorKind::InvalidData)?;
        if slate::length(descriptor)? < head + LEAST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let given = Given::map(descriptor, ARGUMENTS + arguments + surroundings)?;
        let mapped = Mapped::map(descriptor, head, LEAST)?;
        // Both are in memory now, so that their lengths are sizes.
        let lengths = [arguments as usize, surroundings as usize];
        let written = &given.bytes()[ARGUMENTS as usize + lengths[0]..];
        let surroundings = Surroundings::from_bytes(written).ok_or(io::ErrorKind::InvalidData)?;
        Ok(Unpacked { given, lengths, surroundings, mapped })
    }

    pub(crate) fn arguments(&self) -> &[u8] {
        &self.given.bytes()[ARGUMENTS as usize..][..self.lengths[0]]
    }

    pub(crate) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// It never goes back.
    pub(crate) fn set_stage(&self, stage: Stage) {
        let number = stage as u64;
        self.mapped.store(STAGE, number.max(self.mapped.load(STAGE)));
    }

    /// Notes a panic beside the one that was noted before, which stands until this one is complete. Callers take turns.
    pub(crate) fn note_panic(&self, note: &PanicNote) {
        let next = usize::from(self.mapped.load(WHICH_NOTE) == 1);
        let bytes = note.to_bytes();
        if self.mapped.write_at(NOTES[next], &bytes) {
            self.mapped.store(NOTE_LENGTHS[next], bytes.len() as u64);
            self.mapped.store(WHICH_NOTE, next as u64 + 1);
        }
    }

    /// There was none.
    pub(crate) fn forget_panic(&self) {
        self.mapped.store(WHICH_NOTE, 0);
    }

    /// Where the result is written to, up to the limit.
    pub(crate) fn result_writer(&self) -> ResultWriter<'_> {
        let limit = (self.mapped.length() - RESULT).min(RESULT_BYTES);
        ResultWriter { mapped: &self.mapped, written: 0, limit, is_full: false }
    }

    pub(crate) fn finish(&self, ending: Ending<'_>) {
        let (kind, number) = match ending {
            Ending::Returned(length) => (1, length),
            Ending::NotSerialized(text) => (2, self.write_text(text)),
            Ending::TooLarge { limit } => (3, limit),
            Ending::NotUnderstood(text) => (4, self.write_text(text)),
            Ending::Panicked => (5, 0),
        };
        self.mapped.store(OUTCOME_NUMBER, number);
        self.mapped.store(OUTCOME, kind);
    }

    fn write_text(&self, text: &str) -> u64 {
        let text = letter::cut(text, RESULT_TEXT_BYTES as usize);
        if self.mapped.write_at(RESULT, text.as_bytes()) { text.len() as u64 } else { 0 }
    }
}

/// Writes straight to where the test reads.
#[derive(Debug)]
pub(crate) struct ResultWriter<'a> {
    mapped: &'a Mapped,
    written: u64,
    limit: u64,
    is_full: bool,
}

impl ResultWriter<'_> {
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn limit(&self) -> u64 {
        self.limit
    }

    /// Whether something had no room any more.
    pub(crate) fn is_full(&self) -> bool {
        self.is_full
    }
}

impl Write for ResultWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let has_room = bytes.len() as u64 <= self.limit - self.written;
        if !has_room || !self.mapped.write_at(RESULT + self.written, bytes) {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.written += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
