//! Pipes of a service, and moving what comes out of them into a file.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::FileExt;

use nix::errno::Errno;

use super::platform;
pub(crate) use super::platform::pipe;

/// What came of an attempt to move bytes out of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// So many bytes are in the file now.
    Bytes(usize),
    /// So many bytes were read and could not be written: the disk is full. The service is not made to wait for it.
    Dropped(usize),
    /// The pipe is empty and somebody still holds its other end.
    Empty,
    /// The pipe is empty and nobody can write to it any more.
    End,
}

/// Moves at most `max` bytes from a non-blocking pipe into a file at `offset`.
pub(crate) fn move_bytes(from: &OwnedFd, to: &File, offset: u64, max: usize) -> io::Result<Moved> {
    loop {
        match platform::splice(from.as_fd(), to.as_fd(), offset, max) {
            Ok(0) => return Ok(Moved::End),
            Ok(moved) => return Ok(Moved::Bytes(moved)),
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => return Ok(Moved::Empty),
                // A file system that cannot splice, or a full one: by hand, so that the pipe never fills up.
                _ => return copy_bytes(from, to, offset, max),
            },
        }
    }
}

/// What there is instead of bytes, where there are none. It reads nothing: bytes may arrive at any moment.
pub(crate) fn without_bytes(pipe: &OwnedFd) -> Option<Moved> {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut polled = [PollFd::new(pipe.as_fd(), PollFlags::POLLIN)];
    // A poll that fails sees nothing, and the next one sees what there is.
    let _ = poll(&mut polled, PollTimeout::ZERO);
    let events = polled[0].revents().unwrap_or(PollFlags::empty());
    if events.contains(PollFlags::POLLIN) {
        return None;
    }
    Some(if events.is_empty() { Moved::Empty } else { Moved::End })
}

/// Reads and throws away.
pub(crate) fn drop_bytes(from: &OwnedFd) -> io::Result<Moved> {
    let mut buffer = [0; 64 * 1024];
    match nix::unistd::read(from, &mut buffer) {
        Ok(0) => Ok(Moved::End),
        Ok(count) => Ok(Moved::Dropped(count)),
        Err(Errno::EAGAIN) => Ok(Moved::Empty),
        Err(Errno::EINTR) => Ok(Moved::Dropped(0)),
        Err(error) => Err(error.into()),
    }
}

fn copy_bytes(from: &OwnedFd, to: &File, offset: u64, max: usize) -> io::Result<Moved> {
    let mut buffer = vec![0; max.min(64 * 1024)];
    let mut reader = File::from(from.try_clone()?);
    let got = loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(Moved::End),
            Ok(got) => break got,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Moved::Empty),
            Err(error) => return Err(error),
        }
    };
    match to.write_all_at(&buffer[..got], offset) {
        Ok(()) => Ok(Moved::Bytes(got)),
        Err(_) => Ok(Moved::Dropped(got)),
    }
}
