//! Noticing that the test has died.
//!
//! The end of its socket is not enough: a child that the test has forked may hold that open. So the test leaves a pidfd of
//! itself. Where it cannot make one, the guardian asks who its parent is, and the kernel wakes it when that may have changed.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use crate::sys::takeover::Owner;
use crate::sys::{child, platform};

/// The watch over the test.
#[derive(Debug)]
pub(super) struct OwnerWatch {
    /// Readable when it is dead.
    fd: Option<OwnedFd>,
    /// Its id, where it is known by being our parent.
    parent: Option<i32>,
}

impl OwnerWatch {
    /// Begins with what the test has left in place of a standard descriptor.
    pub(super) fn begin(left: OwnedFd) -> io::Result<OwnerWatch> {
        match Owner::of_guardian(left) {
            Owner::Pidfd(fd) => Ok(OwnerWatch { fd: Some(fd), parent: None }),
            Owner::Parent(pid) => Ok(OwnerWatch { fd: platform::watch_parent(pid)?, parent: Some(pid) }),
        }
    }

    pub(super) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.fd.as_ref().map(AsFd::as_fd)
    }

    /// Whether its parent is not the test any more.
    pub(super) fn is_orphan(&self) -> bool {
        self.parent.is_some_and(|pid| pid != child::parent_pid())
    }
}
