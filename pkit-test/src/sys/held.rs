//! A process that is not our child, known and held so that a signal cannot meet another one.
//!
//! Its parent may reap it at any moment, and then its id may be somebody else's. A pidfd cannot change its meaning; where
//! the system has none, the moment of its birth is compared directly before the signal. Between the two are a few
//! microseconds, in which the process would have to end and its id to be given again.

use std::os::fd::OwnedFd;
use std::{fmt, io};

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{platform, procfs};

/// A process, as long as the system runs: an id alone may come again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    pub(crate) birth: u64,
}

impl Identity {
    /// The process that has that id now, if there is one that has not ended.
    pub(crate) fn of(pid: i32) -> Option<Identity> {
        Some(Identity { pid, birth: procfs::birth(pid)? })
    }

    /// Whether it is there and has not ended.
    pub(crate) fn is_alive(self) -> bool {
        Identity::of(self.pid) == Some(self)
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.pid, self.birth)
    }
}

/// One process, for ever.
#[derive(Debug)]
pub(crate) struct Held {
    who: Identity,
    pidfd: Option<OwnedFd>,
}

impl Held {
    /// The process that has this id now, if there is one that has not ended. The caller then asks whether it is the right
    /// one: not before, as the id may change its meaning until it is held.
    pub(crate) fn of(pid: i32) -> Option<Held> {
        let pidfd = platform::pidfd_open(pid).ok();
        Identity::of(pid).map(|who| Held { who, pidfd })
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        self.who.is_alive()
    }

    /// Signals it. One that has ended is not an error.
    pub(crate) fn signal(&self, number: i32) -> io::Result<()> {
        let result = match &self.pidfd {
            Some(pidfd) => platform::pidfd_signal(pidfd, number),
            None if self.is_alive() => Ok(kill(Pid::from_raw(self.who.pid), Signal::try_from(number)?)?),
            None => Ok(()),
        };
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result,
        }
    }
}
