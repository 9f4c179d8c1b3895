//! Other Unix systems: a pipe, whose reading end says whether anybody listens.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::unistd::{pipe, read, write};

use crate::sys::fd::set_nonblocking;

#[derive(Debug)]
pub(super) struct Bell {
    end: OwnedFd,
    rope: OwnedFd,
}

impl Bell {
    pub(super) fn new() -> std::io::Result<Bell> {
        let (end, rope) = pipe()?;
        for end in [&end, &rope] {
            fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
            set_nonblocking(end.as_fd())?;
        }
        Ok(Bell { end, rope })
    }

    pub(super) fn rope(&self) -> BorrowedFd<'_> {
        self.rope.as_fd()
    }

    pub(super) fn drain(&self) {
        while matches!(read(&self.end, &mut [0; 512]), Ok(1..)) {}
    }

    /// The end is closed next, and whoever rings then sees a broken pipe.
    pub(super) fn hush(&self) {}
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

pub(super) fn ring(rope: BorrowedFd<'_>) -> nix::Result<()> {
    match write(rope, &[1]) {
        // A full pipe was rung often enough.
        Ok(_) | Err(Errno::EAGAIN) => Ok(()),
        Err(error) => Err(error),
    }
}

/// In whole milliseconds, rounded up: not every system has a finer poll.
pub(super) fn wait_any(fds: &[BorrowedFd<'_>], limit: Duration) -> nix::Result<()> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    let limit = PollTimeout::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
    poll(&mut polled, limit).map(drop)
}
