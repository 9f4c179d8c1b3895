//! Other Unix systems: the crate type-checks, and starting a process is an error that says why.
//!
//! The guardian's guarantee rests on subreapers, death signals and pidfds. Until their next best (kqueue, procctl,
//! sessions) is built and tried on a real machine, nothing is started here: a weaker promise in silence would be worse.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd, RawFd};
use std::time::Duration;

use nix::libc;

/// Whether processes can be owned here in the way that the guardian needs.
pub(crate) const SUPPORTED: bool = false;

/// Where a process finds its own executable.
pub(crate) const OWN_EXECUTABLE: &str = "";

/// Whether this process was started as [`OWN_EXECUTABLE`].
pub(crate) fn is_started_as_itself() -> bool {
    false
}

pub(crate) fn pidfd_of_self() -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn pidfd_open(_pid: i32) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn pidfd_signal(_process: &OwnedFd, _signal: i32) -> io::Result<()> {
    unsupported()
}

pub(crate) fn become_subreaper() -> io::Result<()> {
    unsupported()
}

pub(crate) fn die_with_parent() -> io::Result<()> {
    unsupported()
}

pub(crate) fn wake_with_parent() {}

pub(crate) fn let_traced_go_on(_pid: i32, _signal: i32) {}

pub(crate) fn has_own_proc() -> bool {
    true
}

pub(crate) fn set_process_name(_name: &CStr) {}

pub(crate) fn close_from(_first: RawFd) {}

pub(crate) fn cloexec_from(_first: RawFd) {}

pub(crate) fn spawn_sharing_memory(_child: &mut dyn FnMut()) -> io::Result<i32> {
    unsupported()
}

pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    unsupported()
}

pub(crate) fn splice(_from: BorrowedFd<'_>, _to: BorrowedFd<'_>, _offset: u64, _max: usize) -> io::Result<usize> {
    unsupported()
}

pub(crate) fn poll_with_signals(_fds: &mut [libc::pollfd], _timeout: Option<Duration>) -> io::Result<usize> {
    unsupported()
}

/// Many descriptors that are waited for as one.
#[derive(Debug)]
pub(crate) struct Crowd {
    never: OwnedFd,
}

impl Crowd {
    pub(crate) fn new() -> io::Result<Crowd> {
        unsupported()
    }

    pub(crate) fn add(&self, _member: impl AsFd, _id: u32) -> io::Result<()> {
        unsupported()
    }

    pub(crate) fn wait_for_room(&self, _member: impl AsFd, _id: u32, _is_wanted: bool) -> io::Result<()> {
        unsupported()
    }

    pub(crate) fn remove(&self, _member: impl AsFd) -> io::Result<()> {
        unsupported()
    }

    pub(crate) fn ready(&self) -> io::Result<Vec<u32>> {
        unsupported()
    }
}

impl AsFd for Crowd {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.never.as_fd()
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "not on this system"))
}
