//! What a process writes: recorded by its shim, read by the test and, after a crash, by the guardian.
//!
//! Each run has two files. The `.log` holds both streams in the order of arrival, for people as well. The `.idx`
//! says which stretch came from which stream: eight bytes with the offset where the log begins (0 until something was
//! thrown away), then eight bytes a stretch, its end offset with the stream in the top bit. A stretch that grows
//! overwrites its own entry. When half of the bound is full both files are moved to `.1` and begun again, so that the
//! newest half is always there. The files say all: no process needs to be asked, so a log survives everybody.

use std::path::{Path, PathBuf};

pub(crate) mod follow;
pub(crate) mod lines;
pub(crate) mod record;
pub(crate) mod tail;

/// The files of a log, by the path that they share.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LogFiles<'a> {
    base: &'a Path,
}

impl LogFiles<'_> {
    pub(crate) fn at(base: &Path) -> LogFiles<'_> {
        LogFiles { base }
    }

    /// The file that people read.
    pub(crate) fn data(self) -> PathBuf {
        self.with(".log")
    }

    /// The file that says which stretch came from which stream.
    pub(crate) fn index(self) -> PathBuf {
        self.with(".idx")
    }

    /// The older halves of both.
    pub(crate) fn old_data(self) -> PathBuf {
        self.with(".log.1")
    }

    pub(crate) fn old_index(self) -> PathBuf {
        self.with(".idx.1")
    }

    /// Removes all of them.
    pub(crate) fn remove(self) {
        for file in [self.data(), self.index()] {
            // A log that was never made or cannot be removed is at worst litter.
            let _ = std::fs::remove_file(file);
        }
        if self.old_index().exists() {
            let _ = std::fs::remove_file(self.old_data());
            let _ = std::fs::remove_file(self.old_index());
        }
    }

    fn with(self, ending: &str) -> PathBuf {
        let mut path = self.base.as_os_str().to_owned();
        path.push(ending);
        path.into()
    }
}

/// One of the two streams that a process writes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Stream {
    Out,
    Err,
}

impl Stream {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
        }
    }
}

/// One entry of the index: where a stretch ends, counted from the first byte of the run, and whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) stream: Stream,
    pub(crate) end: u64,
}

const ENTRY_BYTES: u64 = 8;
const ERR_BIT: u64 = 1 << 63;

impl Stretch {
    fn to_bytes(self) -> [u8; 8] {
        let bit = if self.stream == Stream::Err { ERR_BIT } else { 0 };
        (self.end | bit).to_le_bytes()
    }

    fn from_bytes(bytes: [u8; 8]) -> Stretch {
        let number = u64::from_le_bytes(bytes);
        let stream = if number & ERR_BIT == 0 { Stream::Out } else { Stream::Err };
        Stretch { stream, end: number & !ERR_BIT }
    }
}

#[cfg(test)]
mod tests;
