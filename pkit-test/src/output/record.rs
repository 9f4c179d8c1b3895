//! The writing side: moves what comes out of the pipes of a service into its log.
//!
//! The service must never wait for us and never be told of our troubles: a full disk costs output, not the service.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{ENTRY_BYTES, LogFiles, Stream, Stretch};
use crate::limits::MOVE_BYTES;
use crate::sys::{fd, pipe};

/// The log of one run, and the pipes that feed it.
#[derive(Debug)]
pub(crate) struct Recorder {
    pipes: Vec<(Stream, OwnedFd)>,
    log: Log,
}

impl Recorder {
    /// Prepares a log that keeps at most `bound` bytes. Returns the ends that the service writes to.
    pub(crate) fn create(log: &Path, bound: u64) -> io::Result<(Recorder, OwnedFd, OwnedFd)> {
        let (out, out_end) = pipe::pipe()?;
        let (err, err_end) = pipe::pipe()?;
        fd::set_nonblocking(out.as_fd())?;
        fd::set_nonblocking(err.as_fd())?;
        let log = Log::new(log, bound / 2);
        let pipes = vec![(Stream::Out, out), (Stream::Err, err)];
        Ok((Recorder { pipes, log }, out_end, err_end))
    }

    /// Makes the files, when nothing more urgent is left to do. The first byte would otherwise have to wait for them,
    /// and what both streams bring meanwhile has no order any more.
    pub(crate) fn make_files(&mut self) {
        // Tried again with the first byte.
        let _ = self.log.make_room();
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
    base_path: PathBuf,
    files: Option<Files>,
    /// Where the current file begins and where it ends, counted from the first byte of the run.
    base: u64,
    end: u64,
    last: Option<Stream>,
    entries: u64,
    half: u64,
}

#[derive(Debug)]
struct Files {
    data: File,
    index: File,
}

impl Log {
    fn new(base_path: &Path, half: u64) -> Log {
        Log { base_path: base_path.to_owned(), files: None, base: 0, end: 0, last: None, entries: 0, half }
    }

    fn take(&mut self, stream: Stream, pipe: &OwnedFd) -> io::Result<pipe::Moved> {
        if let (None, Some(nothing)) = (&self.files, pipe::without_bytes(pipe)) {
            return Ok(nothing);
        }
        let made = self.make_room();
        let (Some(files), Ok(())) = (&self.files, made) else {
            // No log is a pity; a service that waits for its reader would be a failure.
            return pipe::drop_bytes(pipe);
        };
        let room = usize::try_from(self.half - (self.end - self.base)).unwrap_or(usize::MAX);
        let moved = pipe::move_bytes(pipe, &files.data, self.end - self.base, room.clamp(1, MOVE_BYTES))?;
        if let pipe::Moved::Bytes(count) = moved {
            self.end += count as u64;
            self.note(stream);
        }
        Ok(moved)
    }

    /// Makes the files when there is something to write, and begins them again when they are full.
    fn make_room(&mut self) -> io::Result<()> {
        if self.files.is_some() && self.end - self.base < self.half {
            return Ok(());
        }
        if self.files.is_some() {
            let files = LogFiles::at(&self.base_path);
            fs::rename(files.index(), files.old_index())?;
            fs::rename(files.data(), files.old_data())?;
        }
        self.files = Some(Files::create(LogFiles::at(&self.base_path), self.end)?);
        (self.base, self.last, self.entries) = (self.end, None, 0);
        Ok(())
    }

    /// Says in the index whose the newest bytes are: after the data, so that a reader never sees more than there is.
    fn note(&mut self, stream: Stream) {
        if self.last != Some(stream) {
            self.last = Some(stream);
            self.entries += 1;
        }
        let entry = Stretch { stream, end: self.end };
        if let Some(files) = &self.files {
            // On a full disk the bytes are there without a name, and the next entry claims them.
            let _ = files.index.write_all_at(&entry.to_bytes(), self.entries * ENTRY_BYTES);
        }
    }
}

impl Files {
    /// The log first: a reader that finds an index finds its log, too.
    fn create(files: LogFiles<'_>, base: u64) -> io::Result<Files> {
        let data = open(&files.data()).or_else(|error| match error.kind() {
            // Somebody cleans up while tests run.
            io::ErrorKind::NotFound => make_parent(&files.data()).and_then(|()| open(&files.data())),
            _ => Err(error),
        })?;
        let index = open(&files.index())?;
        index.write_all_at(&base.to_le_bytes(), 0)?;
        Ok(Files { data, index })
    }
}

fn make_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), fs::create_dir_all)
}

/// Whoever asked for the log by its name may have made it already, empty.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)
}
