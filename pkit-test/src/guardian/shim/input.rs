//! The standard input of a service: a pipe that is fed without ever waiting for the reader.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;

use crate::limits::STDIN_BYTES;
use crate::sys::{fd, pipe};

/// What the service has yet to read.
#[derive(Debug)]
pub(super) struct Input {
    pipe: Option<OwnedFd>,
    waiting: Vec<u8>,
    ends: bool,
}

impl Input {
    /// Makes the pipe. Returns the end that the service reads from.
    pub(super) fn create(first: &[u8], ends: bool) -> io::Result<(Input, OwnedFd)> {
        let (read, write) = pipe::pipe()?;
        fd::set_nonblocking(write.as_fd())?;
        let mut input = Input { pipe: Some(write), waiting: first.to_vec(), ends };
        input.flush();
        Ok((input, read))
    }

    /// Takes more to be read.
    pub(super) fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.pipe.is_none() || self.ends {
            return Err(Errno::EPIPE.into());
        }
        if self.waiting.len() + bytes.len() > STDIN_BYTES {
            return Err(Errno::ENOBUFS.into());
        }
        self.waiting.extend_from_slice(bytes);
        self.flush();
        if self.pipe.is_some() { Ok(()) } else { Err(Errno::EPIPE.into()) }
    }

    /// Lets it end after what is waiting.
    pub(super) fn close(&mut self) {
        self.ends = true;
        self.flush();
    }

    /// The pipe, while there is something to write.
    pub(super) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.waiting.is_empty()).map(AsFd::as_fd)
    }

    /// Writes as much as fits.
    pub(super) fn flush(&mut self) {
        while let (Some(pipe), false) = (&self.pipe, self.waiting.is_empty()) {
            match nix::unistd::write(pipe, &self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                // Nobody reads any more.
                Err(_) => {
                    self.waiting.clear();
                    self.pipe = None;
                }
            }
        }
        if self.ends {
            self.pipe = None;
        }
    }
}
