//! What a process writes: recorded by its shim, read by the test and, after a crash, by the guardian.
//!
//! Each run has two files. `output.log` holds both streams in the order of arrival, for people as well. `output.idx`
//! says which stretch came from which stream: eight bytes with the offset where the log begins (0 until something was
//! thrown away), then eight bytes a stretch, its end offset with the stream in the top bit. A stretch that grows
//! overwrites its own entry. When half of the bound is full both files are moved to `.1` and begun again, so that the
//! newest half is always there. The files say all: no process needs to be asked, so a log survives everybody.

pub(crate) mod follow;
pub(crate) mod lines;
pub(crate) mod record;
pub(crate) mod tail;

/// The file that people read.
pub(crate) const LOG: &str = "output.log";
/// The file that says which stretch of the log came from which stream.
pub(crate) const INDEX: &str = "output.idx";
/// The older halves of both.
pub(crate) const OLD_LOG: &str = "output.log.1";
pub(crate) const OLD_INDEX: &str = "output.idx.1";

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
