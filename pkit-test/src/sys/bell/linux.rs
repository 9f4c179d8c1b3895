//! Linux: an `eventfd(2)`, whose counter says whether anybody listens.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::time::TimeSpec;
use nix::unistd::{read, write};

/// The most that a counter can hold: one more is refused.
const FULL: u64 = u64::MAX - 1;

#[derive(Debug)]
pub(super) struct Bell {
    counter: EventFd,
}

impl Bell {
    pub(super) fn new() -> nix::Result<Bell> {
        let flags = EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK;
        Ok(Bell { counter: EventFd::from_value_and_flags(0, flags)? })
    }

    /// The descriptor is both ends.
    pub(super) fn rope(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }

    pub(super) fn drain(&self) {
        // An error says that there was nothing.
        let _ = read(&self.counter, &mut [0; 8]);
    }

    /// Fills the counter: whoever rings from now on is refused, in whatever process.
    pub(super) fn hush(&self) {
        // Somebody may ring between the two.
        while add(self.counter.as_fd(), FULL) == Err(Errno::EAGAIN) {
            self.drain();
        }
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.counter.as_fd()
    }
}

pub(super) fn ring(rope: BorrowedFd<'_>) -> nix::Result<()> {
    add(rope, 1)
}

fn add(counter: BorrowedFd<'_>, value: u64) -> nix::Result<()> {
    write(counter, &value.to_ne_bytes()).map(drop)
}

pub(super) fn wait_any(fds: &[BorrowedFd<'_>], limit: Duration) -> nix::Result<()> {
    let mut polled: Vec<PollFd<'_>> = fds.iter().map(|fd| PollFd::new(*fd, PollFlags::POLLIN)).collect();
    ppoll(&mut polled, Some(TimeSpec::from_duration(limit)), None).map(drop)
}
