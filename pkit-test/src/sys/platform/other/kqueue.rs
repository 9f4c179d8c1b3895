//! FreeBSD and macOS: the end of a process as an event.

use std::io;
use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;

/// A descriptor that becomes readable when this process is dead. The error is `ESRCH` if it is already.
pub(crate) fn end_of(pid: i32) -> io::Result<OwnedFd> {
    // SAFETY: kqueue makes a new descriptor or returns -1.
    let queue = unsafe { libc::kqueue() };
    if queue == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, so nobody else owns it.
    let queue = unsafe { OwnedFd::from_raw_fd(queue as RawFd) };
    fcntl(&queue, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    watch(&queue, pid)?;
    Ok(queue)
}

fn watch(queue: &OwnedFd, pid: i32) -> io::Result<()> {
    use std::os::fd::AsRawFd;
    // SAFETY: a zeroed event is a valid empty one.
    let mut change: libc::kevent = unsafe { std::mem::zeroed() };
    change.ident = pid.unsigned_abs() as usize;
    change.filter = libc::EVFILT_PROC;
    change.flags = libc::EV_ADD | libc::EV_ONESHOT;
    change.fflags = libc::NOTE_EXIT;
    // SAFETY: one change that lives through the call, and no room for events.
    let result =
        unsafe { libc::kevent(queue.as_raw_fd(), &raw const change, 1, std::ptr::null_mut(), 0, std::ptr::null()) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
