//! A process that is not our child, held so that a signal cannot meet another one.
//!
//! Its parent may reap it at any moment, and then its id may be somebody else's. A pidfd cannot change its meaning; where
//! the system has none, the moment of its birth is compared directly before the signal. Between the two are a few
//! microseconds, in which the process would have to end and its id to be given again.

use std::io;
use std::os::fd::OwnedFd;

use nix::libc;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{platform, procfs};

/// One process, for ever.
#[derive(Debug)]
pub(crate) struct Held {
    pid: i32,
    birth: u64,
    pidfd: Option<OwnedFd>,
}

impl Held {
    /// The process that has this id now, if there is one that has not ended. The caller then asks whether it is the right
    /// one: not before, as the id may change its meaning until it is held.
    pub(crate) fn of(pid: i32) -> Option<Held> {
        let pidfd = platform::pidfd_open(pid).ok();
        procfs::birth(pid).map(|birth| Held { pid, birth, pidfd })
    }

    /// Whether it has not ended.
    pub(crate) fn is_alive(&self) -> bool {
        procfs::birth(self.pid) == Some(self.birth)
    }

    /// Signals it. One that has ended is not an error.
    pub(crate) fn signal(&self, number: i32) -> io::Result<()> {
        let result = match &self.pidfd {
            Some(pidfd) => platform::pidfd_signal(pidfd, number),
            None if self.is_alive() => Ok(kill(Pid::from_raw(self.pid), Signal::try_from(number)?)?),
            None => Ok(()),
        };
        match result {
            Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
            result => result,
        }
    }
}
