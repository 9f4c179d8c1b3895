//! The writing side: moves what comes out of the pipes of a service into its log.
//!
//! The service must never wait for us and never be told of our troubles: a full disk costs output, not the service.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{ENTRY_BYTES, INDEX, LOG, OLD_INDEX, OLD_LOG, Stream, Stretch};
use crate::limits::MOVE_BYTES;
use crate::sys::{fd, pipe};

/// The log of one run, and the pipes that feed it.
#[derive(Debug)]
pub(crate) struct Recorder {
    pipes: Vec<(Stream, OwnedFd)>,
    log: Log,
}

impl Recorder {
    /// Makes a log in `dir` that keeps at most `bound` bytes. Returns the ends that the service writes to.
    pub(crate) fn create(dir: &Path, bound: u64) -> io::Result<(Recorder, OwnedFd, OwnedFd)> {
        let (out, out_end) = pipe::pipe()?;
        let (err, err_end) = pipe::pipe()?;
        fd::set_nonblocking(out.as_fd())?;
        fd::set_nonblocking(err.as_fd())?;
        let log = Log::create(dir, bound / 2)?;
        let pipes = vec![(Stream::Out, out), (Stream::Err, err)];
        Ok((Recorder { pipes, log }, out_end, err_end))
    }

    /// The pipes that can still bring something.
    pub(crate) fn open_pipes(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.pipes.iter().map(|(_, pipe)| pipe.as_fd())
    }

    /// How many bytes arrived since the run began.
    pub(crate) fn end(&self) -> u64 {
        self.log.end
    }

    /// Moves what there is, at most one portion a stream, so that a flood cannot keep the caller from other events.
    /// Returns whether anything was moved.
    pub(crate) fn move_some(&mut self) -> bool {
        let mut moved = false;
        let log = &mut self.log;
        self.pipes.retain(|(stream, pipe)| match log.take(*stream, pipe) {
            Ok(pipe::Moved::Bytes(_) | pipe::Moved::Dropped(_)) => {
                moved = true;
                true
            }
            Ok(pipe::Moved::Empty) => true,
            // A pipe that cannot be read is as good as closed.
            Ok(pipe::Moved::End) | Err(_) => false,
        });
        moved
    }
}

/// The two files of a log.
#[derive(Debug)]
struct Log {
    dir: PathBuf,
    data: File,
    index: File,
    /// Where the current file begins and where it ends, counted from the first byte of the run.
    base: u64,
    end: u64,
    last: Option<Stream>,
    entries: u64,
    half: u64,
}

impl Log {
    fn create(dir: &Path, half: u64) -> io::Result<Log> {
        let (data, index) = create_files(dir, 0)?;
        Ok(Log { dir: dir.to_owned(), data, index, base: 0, end: 0, last: None, entries: 0, half })
    }

    fn take(&mut self, stream: Stream, pipe: &OwnedFd) -> io::Result<pipe::Moved> {
        if self.end - self.base >= self.half {
            self.turn_over()?;
        }
        let room = usize::try_from(self.half - (self.end - self.base)).unwrap_or(usize::MAX);
        let moved = pipe::move_bytes(pipe, &self.data, self.end - self.base, room.clamp(1, MOVE_BYTES))?;
        if let pipe::Moved::Bytes(count) = moved {
            self.end += count as u64;
            self.note(stream);
        }
        Ok(moved)
    }

    /// Says in the index whose the newest bytes are: after the data, so that a reader never sees more than there is.
    fn note(&mut self, stream: Stream) {
        if self.last != Some(stream) {
            self.last = Some(stream);
            self.entries += 1;
        }
        let entry = Stretch { stream, end: self.end };
        // On a full disk the bytes are there without a name, and the next entry claims them.
        let _ = self.index.write_all_at(&entry.to_bytes(), self.entries * ENTRY_BYTES);
    }

    fn turn_over(&mut self) -> io::Result<()> {
        fs::rename(self.dir.join(INDEX), self.dir.join(OLD_INDEX))?;
        fs::rename(self.dir.join(LOG), self.dir.join(OLD_LOG))?;
        (self.data, self.index) = create_files(&self.dir, self.end)?;
        self.base = self.end;
        self.last = None;
        self.entries = 0;
        Ok(())
    }
}

/// The log first: a reader that finds an index finds its log, too.
fn create_files(dir: &Path, base: u64) -> io::Result<(File, File)> {
    let data = open(&dir.join(LOG))?;
    let index = open(&dir.join(INDEX))?;
    index.write_all_at(&base.to_le_bytes(), 0)?;
    Ok((data, index))
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}
