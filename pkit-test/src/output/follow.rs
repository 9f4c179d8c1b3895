//! The reading side: follows a log from any place, across the moment when it is begun again.

use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::{ENTRY_BYTES, LogFiles, Stream, Stretch};

/// How much is read at a time.
const PIECE_BYTES: u64 = 1024 * 1024;

/// How often a reader that meets the turn-over of a log looks again. Nothing turns over while a fuzzer waits.
const TRIES: usize = if cfg!(pkit_fuzz) { 3 } else { 100 };

/// Some bytes of one stream, as they arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    pub(crate) stream: Stream,
    /// Where the bytes begin, counted from the first byte of the run.
    pub(crate) start: u64,
    pub(crate) bytes: Vec<u8>,
}

/// A place in a log that moves on as it is read.
#[derive(Debug, Clone)]
pub(crate) struct Follower {
    log: PathBuf,
    offset: u64,
    /// The entry of which index the next byte belongs to, so that a long index is not read again and again.
    hint: Hint,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Hint {
    base: u64,
    entry: u64,
}

impl Follower {
    /// Follows a log from a byte of the run on.
    pub(crate) fn new(log: &Path, offset: u64) -> Follower {
        Follower { log: log.to_owned(), offset, hint: Hint::default() }
    }

    /// The next pieces, in the order of arrival; empty when there is nothing new. What was thrown away is skipped.
    pub(crate) fn next(&mut self) -> io::Result<Vec<Piece>> {
        let Some(part) = Part::holding(&self.log, self.offset)? else { return Ok(Vec::new()) };
        self.offset = self.offset.max(part.base);
        if self.hint.base != part.base {
            self.hint = Hint { base: part.base, entry: 0 };
        }
        let pieces = part.read(self.offset, &mut self.hint)?;
        if let Some(last) = pieces.last() {
            self.offset = last.start + last.bytes.len() as u64;
        }
        Ok(pieces)
    }

    /// All that is left before a place, piece by piece. A reader without one might follow a flood for ever.
    pub(crate) fn each_until(&mut self, end: u64, mut see: impl FnMut(Piece)) -> io::Result<()> {
        while self.offset < end {
            let pieces = self.next()?;
            if pieces.is_empty() {
                return Ok(());
            }
            for mut piece in pieces.into_iter().filter(|piece| piece.start < end) {
                piece.bytes.truncate(usize::try_from(end - piece.start).unwrap_or(usize::MAX));
                see(piece);
            }
        }
        Ok(())
    }
}

/// Where a log ends by now, counted from the first byte of the run.
pub(crate) fn end_of(log: &Path) -> u64 {
    Part::newer(log).ok().flatten().and_then(|part| part.end().ok()).unwrap_or(0)
}

/// One of the two halves of a log, opened.
#[derive(Debug)]
struct Part {
    base: u64,
    data: File,
    index: File,
}

impl Part {
    /// The part that holds a byte: the newer one, unless the byte is older and still there.
    fn holding(log: &Path, offset: u64) -> io::Result<Option<Part>> {
        for _ in 0..TRIES {
            let new = Part::newer(log)?;
            if new.as_ref().is_some_and(|part| part.base <= offset) {
                return Ok(new);
            }
            let old = Part::older(log)?;
            // Read in this order the two can be a generation apart; then the older one ends too early.
            match (old, new) {
                (Some(old), Some(new)) if old.end()? > offset && old.end()? == new.base => return Ok(Some(old)),
                (Some(old), Some(new)) if old.end()? == new.base => return Ok(Some(new)),
                (None, new) => return Ok(new),
                _ => std::thread::yield_now(),
            }
        }
        Ok(None)
    }

    fn newer(log: &Path) -> io::Result<Option<Part>> {
        let files = LogFiles::at(log);
        Part::open(&files.data(), &files.index())
    }

    fn older(log: &Path) -> io::Result<Option<Part>> {
        let files = LogFiles::at(log);
        Part::open(&files.old_data(), &files.old_index())
    }

    fn open(data: &Path, index: &Path) -> io::Result<Option<Part>> {
        for _ in 0..TRIES {
            let Some(first) = open(index)? else { return Ok(None) };
            let Some(opened) = open(data)? else { return Ok(None) };
            // The same index before and after: then the log between them is its own.
            if inode_of(index)? != Some(first.metadata()?.ino()) {
                continue;
            }
            let mut base = [0; 8];
            if first.read_at(&mut base, 0)? == base.len() {
                return Ok(Some(Part { base: u64::from_le_bytes(base), data: opened, index: first }));
            }
            std::thread::yield_now();
        }
        Ok(None)
    }

    fn end(&self) -> io::Result<u64> {
        // The base is read from a file, which can hold anything after a crash.
        Ok(self.base.saturating_add(self.data.metadata()?.len()))
    }

    fn read(&self, from: u64, hint: &mut Hint) -> io::Result<Vec<Piece>> {
        let mut pieces = Vec::new();
        let mut place = from;
        for stretch in self.stretches(hint.entry)? {
            if stretch.end > place {
                place = self.read_stretch(stretch, place, from.saturating_add(PIECE_BYTES), &mut pieces)?;
            }
            if place < stretch.end {
                break;
            }
            hint.entry += 1;
        }
        // The last stretch can still grow, so it stays the place to begin at.
        hint.entry = hint.entry.saturating_sub(1);
        Ok(pieces)
    }

    fn read_stretch(&self, stretch: Stretch, from: u64, limit: u64, into: &mut Vec<Piece>) -> io::Result<u64> {
        let end = stretch.end.min(limit);
        if end <= from {
            return Ok(from);
        }
        let mut bytes = vec![0; usize::try_from(end - from).unwrap_or(0)];
        let got = read_fully_at(&self.data, &mut bytes, from - self.base)?;
        bytes.truncate(got);
        if got > 0 {
            into.push(Piece { stream: stretch.stream, start: from, bytes });
        }
        Ok(from + got as u64)
    }

    fn stretches(&self, from_entry: u64) -> io::Result<Vec<Stretch>> {
        let from = (from_entry + 1) * ENTRY_BYTES;
        let length = self.index.metadata()?.len().saturating_sub(from);
        let mut bytes = vec![0; usize::try_from(length).unwrap_or(0)];
        let got = read_fully_at(&self.index, &mut bytes, from)?;
        let entries = bytes[..got].chunks_exact(8);
        Ok(entries.filter_map(|entry| entry.try_into().ok()).map(Stretch::from_bytes).collect())
    }
}

fn open(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn inode_of(path: &Path) -> io::Result<Option<u64>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_fully_at(file: &File, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut got = 0;
    while got < buffer.len() {
        match file.read_at(&mut buffer[got..], offset + got as u64) {
            Ok(0) => break,
            Ok(count) => got += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(got)
}
