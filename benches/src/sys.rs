//! A system call that nix has no name for, and a fork; all `unsafe` is here.

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::wait::waitpid;
use nix::unistd::{ForkResult, fork};

/// A descriptor that becomes readable when the process is dead, whoever its parent is.
#[cfg(target_os = "linux")]
pub(crate) fn pidfd(pid: i32) -> io::Result<OwnedFd> {
    use std::os::fd::{FromRawFd, RawFd};

    use nix::libc;

    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    if fd == -1 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the descriptor was just made, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// A descriptor that becomes readable when the process is dead.
#[cfg(not(target_os = "linux"))]
pub(crate) fn pidfd(_pid: i32) -> io::Result<OwnedFd> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "not on this system"))
}

/// Forks, and waits for the end of the child, which does this and no more.
pub(crate) fn in_a_fork(child: impl FnOnce()) -> io::Result<()> {
    // SAFETY: whoever calls this has one thread, so that the child may do all that its parent may.
    match unsafe { fork() }? {
        ForkResult::Parent { child } => waitpid(child, None).map(drop).map_err(io::Error::from),
        ForkResult::Child => {
            child();
            std::process::exit(0)
        }
    }
}
