//! How a child says when something happened: numbers of eight bytes through a pipe that has a name.
//!
//! A pipe with a name needs no inherited descriptor, which a service of pkit-test would not get; and reading it is an
//! event, so that nothing here has to poll.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::stat::Mode;

use crate::clock;

/// A child that has said nothing for so long never will.
const SILENCE_LIMIT_MS: u16 = 30_000;

/// The reading end.
pub(crate) struct Stamps {
    path: PathBuf,
    pipe: File,
}

impl Stamps {
    pub(crate) fn create(dir: &Path) -> io::Result<Stamps> {
        let path = dir.join(format!("{:x}", clock::random()));
        nix::unistd::mkfifo(&path, Mode::S_IRWXU)?;
        // Also for writing, so that it does not end when a child does.
        let pipe = OpenOptions::new().read(true).write(true).open(&path)?;
        Ok(Stamps { path, pipe })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next stamp.
    pub(crate) fn next(&mut self) -> io::Result<u64> {
        let mut polled = [PollFd::new(self.pipe.as_fd(), PollFlags::POLLIN)];
        if poll(&mut polled, PollTimeout::from(SILENCE_LIMIT_MS))? == 0 {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "a child did not say that it is there"));
        }
        let mut stamp = [0; 8];
        self.pipe.read_exact(&mut stamp)?;
        Ok(u64::from_ne_bytes(stamp))
    }
}

/// The writing end.
pub(crate) struct Stamper {
    pipe: File,
}

impl Stamper {
    pub(crate) fn open(path: &Path) -> io::Result<Stamper> {
        Ok(Stamper { pipe: OpenOptions::new().write(true).open(path)? })
    }

    pub(crate) fn say(&mut self, stamp: u64) -> io::Result<()> {
        self.pipe.write_all(&stamp.to_ne_bytes())
    }
}
