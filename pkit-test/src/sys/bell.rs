//! A bell: whoever waits for several things at once hears by it that one of them may have changed.
//!
//! It is a descriptor, so that it is waited for beside others, and can be rung from another process. Who waits drains it
//! *before* it looks: what happens after that rings again, and no wake-up is lost. When nobody waits any more the bell is
//! hushed, without a word to whoever rings it: the next ring fails, and is the last one.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as system;

/// The side that waits. Hushed when it is dropped.
#[derive(Debug)]
pub(crate) struct Bell {
    inner: system::Bell,
}

/// The side that rings.
#[derive(Debug)]
pub(crate) struct Rope {
    end: OwnedFd,
}

impl Bell {
    pub(crate) fn new() -> io::Result<Bell> {
        Ok(Bell { inner: system::Bell::new()? })
    }

    pub(crate) fn ring(&self) {
        // One that is full was rung often enough.
        let _ = system::ring(self.inner.rope());
    }

    /// Forgets that it was rung.
    pub(crate) fn drain(&self) {
        self.inner.drain();
    }

    /// Its rope, for another process.
    pub(crate) fn rope(&self) -> io::Result<Rope> {
        Ok(Rope { end: self.inner.rope().try_clone_to_owned()? })
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

impl Drop for Bell {
    fn drop(&mut self) {
        self.inner.hush();
    }
}

impl Rope {
    /// Rings; `false` when nobody listens any more.
    pub(crate) fn pull(&self) -> bool {
        loop {
            match system::ring(self.end.as_fd()) {
                Err(Errno::EINTR) => {}
                rung => return rung.is_ok(),
            }
        }
    }
}

impl AsFd for Rope {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.end.as_fd()
    }
}

impl From<OwnedFd> for Rope {
    fn from(end: OwnedFd) -> Rope {
        Rope { end }
    }
}

impl From<Rope> for OwnedFd {
    fn from(rope: Rope) -> OwnedFd {
        rope.end
    }
}

/// Waits until one of them has something to read, or the deadline has come. A signal may end it early.
pub(crate) fn wait_any(fds: &[BorrowedFd<'_>], deadline: Instant) {
    // What a poll that fails did not see the next look does; the deadline is that of whoever waits.
    let _ = system::wait_any(fds, deadline.saturating_duration_since(Instant::now()));
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn is_rung(bell: &Bell) -> bool {
        crate::sys::fd::is_readable_until(bell.as_fd(), Instant::now())
    }

    #[test]
    fn it_is_heard_until_it_is_drained() {
        let bell = Bell::new().unwrap();
        assert!(!is_rung(&bell));
        bell.ring();
        bell.ring();
        assert!(is_rung(&bell));
        bell.drain();
        assert!(!is_rung(&bell));
        assert!(bell.rope().unwrap().pull());
        assert!(is_rung(&bell));
    }

    #[test]
    fn whoever_rings_for_nobody_is_told_so() {
        for rung_before in [0, 1, 3] {
            let bell = Bell::new().unwrap();
            let rope = bell.rope().unwrap();
            (0..rung_before).for_each(|_| assert!(rope.pull()));
            drop(bell);
            assert!(!rope.pull());
            assert!(!rope.pull());
        }
    }

    #[test]
    fn it_is_rung_by_others_while_it_is_hushed() {
        for _ in 0..200 {
            let bell = Bell::new().unwrap();
            let rope = bell.rope().unwrap();
            let ringer = std::thread::spawn(move || while rope.pull() {});
            drop(bell);
            ringer.join().unwrap();
        }
    }

    #[test]
    fn a_wait_ends_with_any_of_them_or_in_time() {
        let (one, other) = (Bell::new().unwrap(), Bell::new().unwrap());
        let began = Instant::now();
        wait_any(&[one.as_fd(), other.as_fd()], began + Duration::from_millis(2));
        assert!(began.elapsed() >= Duration::from_millis(2));
        let rope = other.rope().unwrap();
        let ringer = std::thread::spawn(move || rope.pull());
        wait_any(&[one.as_fd(), other.as_fd()], began + Duration::from_secs(60));
        assert!(ringer.join().unwrap() && is_rung(&other) && !is_rung(&one));
    }
}
