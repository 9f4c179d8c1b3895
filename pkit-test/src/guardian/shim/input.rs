//! The standard input of a service: a pipe that is fed without ever waiting for the reader.

use std::collections::VecDeque;
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
    /// Texts for which there was no room, and who is to be told when there is.
    held: VecDeque<(u64, Vec<u8>)>,
    ends: bool,
}

/// What became of a text, and who is to be told.
pub(super) type Answer = (u64, io::Result<()>);

impl Input {
    /// Makes the pipe. Returns the end that the service reads from.
    pub(super) fn create(first: &[u8], ends: bool) -> io::Result<(Input, OwnedFd)> {
        let (read, write) = pipe::pipe()?;
        fd::set_nonblocking(write.as_fd())?;
        let mut input = Input { pipe: Some(write), waiting: first.to_vec(), held: VecDeque::new(), ends };
        input.flush();
        Ok((input, read))
    }

    /// Takes more to be read. Whoever gives it is told when there is room for it, so that a long text can follow a slow
    /// reader in parts.
    pub(super) fn take(&mut self, token: u64, bytes: Vec<u8>) -> Vec<Answer> {
        if self.ends {
            return vec![(token, Err(Errno::EPIPE.into()))];
        }
        self.held.push_back((token, bytes));
        self.flush()
    }

    /// Lets it end after what is waiting.
    pub(super) fn close(&mut self) {
        self.ends = true;
        self.flush_pipe();
    }

    /// The pipe, while there is something to write.
    pub(super) fn waiting(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().filter(|_| !self.waiting.is_empty()).map(AsFd::as_fd)
    }

    /// Writes as much as fits, and tells for whom there is room now.
    pub(super) fn flush(&mut self) -> Vec<Answer> {
        let mut answers = Vec::new();
        self.flush_pipe();
        while self.held.front().is_some_and(|(_, bytes)| self.pipe.is_none() || fits(&self.waiting, bytes)) {
            let Some((token, bytes)) = self.held.pop_front() else { break };
            let is_open = self.pipe.is_some();
            self.waiting.extend_from_slice(&bytes);
            self.flush_pipe();
            answers.push((token, if is_open { Ok(()) } else { Err(Errno::EPIPE.into()) }));
        }
        answers
    }

    fn flush_pipe(&mut self) {
        while let (Some(pipe), false) = (&self.pipe, self.waiting.is_empty()) {
            match nix::unistd::write(pipe, &self.waiting) {
                Ok(count) => drop(self.waiting.drain(..count)),
                Err(Errno::EINTR) => {}
                Err(Errno::EAGAIN) => return,
                // Nobody reads any more.
                Err(_) => self.pipe = None,
            }
        }
        if self.ends && self.held.is_empty() {
            self.pipe = None;
        }
        if self.pipe.is_none() {
            self.waiting.clear();
        }
    }
}

fn fits(waiting: &[u8], more: &[u8]) -> bool {
    waiting.len() + more.len() <= STDIN_BYTES
}
