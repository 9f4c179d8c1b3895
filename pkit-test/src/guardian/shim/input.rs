//! The standard input of a service: a pipe that is fed without ever waiting for the reader.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;

use crate::limits::{STDIN_BYTES, STDIN_PATIENCE};
use crate::sys::{fd, pipe};

/// What the service has yet to read.
#[derive(Debug)]
pub(super) struct Input {
    pipe: Option<OwnedFd>,
    waiting: Vec<u8>,
    /// Texts for which there was no room, and who is to be told when there is.
    held: VecDeque<(u64, Vec<u8>)>,
    /// When they are given up, unless something is read before.
    patient_until: Option<Instant>,
    ends: bool,
}

/// What became of a text, and who is to be told.
pub(super) type Answer = (u64, io::Result<()>);

impl Input {
    /// Makes the pipe. Returns the end that the service reads from.
    pub(super) fn create(first: &[u8], ends: bool) -> io::Result<(Input, OwnedFd)> {
        let (read, write) = pipe::pipe()?;
        fd::set_nonblocking(write.as_fd())?;
        let (waiting, held) = (first.to_vec(), VecDeque::new());
        let mut input = Input { pipe: Some(write), waiting, held, patient_until: None, ends };
        input.flush();
        Ok((input, read))
    }

    /// For what reads nothing.
    pub(super) fn none() -> Input {
        Input { pipe: None, waiting: Vec::new(), held: VecDeque::new(), patient_until: None, ends: true }
    }

    /// Takes more to be read. Whoever gives it is told when there is room for it, so that a long text can follow a slow
    /// reader in parts; or that nothing is read any more, and then it is not written later, either.
    pub(super) fn take(&mut self, token: u64, bytes: Vec<u8>) -> Vec<Answer> {
        if self.ends {
            return vec![(token, Err(Errno::EPIPE.into()))];
        }
        if self.held.is_empty() {
            self.patient_until = Some(Instant::now() + STDIN_PATIENCE);
        }
        self.held.push_back((token, bytes));
        self.flush()
    }

    /// When there is something to tell even if nothing is read.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.patient_until.filter(|_| !self.held.is_empty())
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
        if self.deadline().is_some_and(|deadline| deadline <= Instant::now()) {
            answers.extend(self.held.drain(..).map(|(token, _)| (token, Err(Errno::ETIMEDOUT.into()))));
        }
        answers
    }

    fn flush_pipe(&mut self) {
        while let (Some(pipe), false) = (&self.pipe, self.waiting.is_empty()) {
            match nix::unistd::write(pipe, &self.waiting) {
                Ok(count) => {
                    self.waiting.drain(..count);
                    self.patient_until = Some(Instant::now() + STDIN_PATIENCE);
                }
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
