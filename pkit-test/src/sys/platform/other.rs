//! Other Unix systems: kqueue, reapers where there are any, and what every Unix can do.
//!
//! All of it type-checks and none of it was ever run on its system; what Linux can run of it the tests run there. So nothing
//! is started here unless somebody asks for it in so many words (`PKIT_UNTRIED=1`): a promise that nobody has seen kept
//! would be worse than none.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::libc;

use super::Failure;
use super::portable::{
    PolledCrowd, close_one_by_one, pipe_and_mark, poll_with_signal_pipe, prepare_signal_pipe, spawn_by_fork,
};
pub(crate) use super::portable::{fail, forget_signal_pipe, note_signal, spawn_copy};
use crate::sys::wait::For;

#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "freebsd")]
pub(crate) use freebsd::{become_subreaper, die_with_parent, kill_descendants, own_command_line, wake_with_parent};

#[cfg(not(target_os = "freebsd"))]
mod plain;
#[cfg(not(target_os = "freebsd"))]
pub(crate) use plain::{become_subreaper, die_with_parent, kill_descendants, own_command_line, wake_with_parent};

#[cfg(any(target_os = "freebsd", target_os = "macos"))]
mod kqueue;
#[cfg(any(target_os = "freebsd", target_os = "macos"))]
pub(crate) use kqueue::end_of;

/// Whether the tests of this crate have been run here.
pub(crate) const IS_TRIED: bool = false;

/// Whether a process can give itself a name that others see.
pub(crate) const GIVES_NAMES: bool = false;

/// What to execute to become this program again.
pub(crate) fn own_executable() -> io::Result<PathBuf> {
    std::env::current_exe()
}

/// What to execute to become the program that this descriptor is open at: a system with `/dev/fd` may know it by that.
pub(crate) fn executable_of(program: BorrowedFd<'_>) -> PathBuf {
    executable_behind(program.as_raw_fd())
}

pub(crate) fn own_executable_as_itself() -> io::Result<PathBuf> {
    own_executable()
}

/// The same by the number that the descriptor will have over there.
pub(crate) fn executable_behind(descriptor: RawFd) -> PathBuf {
    format!("/dev/fd/{descriptor}").into()
}

/// Nothing tells how a process was started but its arguments.
pub(crate) fn is_started_as_itself() -> bool {
    true
}

/// There are no descriptors that mean a process for ever.
pub(crate) fn pidfd_of_self() -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn pidfd_open(_pid: i32) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn pidfd_signal(_process: &OwnedFd, _signal: i32) -> io::Result<()> {
    unsupported()
}

/// A descriptor that becomes readable when this process is dead.
#[cfg(not(any(target_os = "freebsd", target_os = "macos")))]
pub(crate) fn end_of(_pid: i32) -> io::Result<OwnedFd> {
    unsupported()
}

/// A descriptor that becomes readable when this process, our parent, is dead.
pub(crate) fn watch_parent(parent: i32) -> io::Result<Option<OwnedFd>> {
    match end_of(parent) {
        Ok(end) => Ok(Some(end)),
        // It is dead already, and our parent is another one, which is seen.
        Err(error) if error.raw_os_error() == Some(libc::ESRCH) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A program that is traced by its parent waits for it: it is not let go here.
pub(crate) fn let_traced_go_on(_pid: i32, _signal: i32) {}

/// Processes are not looked at in a file system here.
pub(crate) fn has_proc() -> bool {
    true
}

pub(crate) fn has_own_proc() -> bool {
    true
}

pub(crate) fn let_be_looked_at() {}

pub(crate) fn set_process_name(_name: &CStr) {}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: RawFd) {
    close_between(first, RawFd::MAX);
}

/// Closes every descriptor from `first` to `last`, if there is any.
pub(crate) fn close_between(first: RawFd, last: RawFd) {
    close_one_by_one(first, last, false);
}

/// Marks every descriptor from `first` on as closed at the next exec.
pub(crate) fn cloexec_from(first: RawFd) {
    close_one_by_one(first, RawFd::MAX, true);
}

/// Runs `child` in a new process, and waits until that executes a program or leaves a failure. The caller must have one
/// thread only.
pub(crate) fn spawn(child: &mut dyn FnMut() -> Failure) -> io::Result<(i32, Option<Failure>)> {
    spawn_by_fork(child)
}

/// A pipe, both ends closed at exec: the end for reading, the end for writing.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    pipe_and_mark()
}

/// Bytes are moved by reading and writing them.
pub(crate) fn splice(_from: BorrowedFd<'_>, _to: BorrowedFd<'_>, _offset: u64, _max: usize) -> io::Result<usize> {
    unsupported()
}

/// Makes what [`poll_with_signals`] needs in this process.
pub(crate) fn prepare_wait() -> io::Result<()> {
    prepare_signal_pipe()
}

/// Waits until a descriptor has something or a signal arrives, with SIGCHLD and SIGTERM open during the wait only.
pub(crate) fn poll_with_signals(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    poll_with_signal_pipe(fds, timeout)
}

/// Many descriptors that are waited for one by one.
#[derive(Debug)]
pub(crate) struct Crowd(PolledCrowd);

impl Crowd {
    pub(crate) fn new() -> Crowd {
        Crowd(PolledCrowd::default())
    }

    /// Waits for something to read at this one, too, which is known by its id.
    pub(crate) fn add(&self, member: impl AsFd, id: u32) -> io::Result<()> {
        self.0.add(member.as_fd().as_raw_fd(), id);
        Ok(())
    }

    /// Waits also for room to write, or no longer.
    pub(crate) fn wait_for_room(&self, _member: impl AsFd, id: u32, is_wanted: bool) -> io::Result<()> {
        self.0.wait_for_room(id, is_wanted);
        Ok(())
    }

    /// Waits for something else at one of them from now on.
    pub(crate) fn wait_for(&self, _member: impl AsFd, id: u32, what: For) -> io::Result<()> {
        self.0.wait_for(id, what);
        Ok(())
    }

    /// Waits for nothing else than these, and tells of those that are worth a look; of none after a signal or at the deadline.
    pub(crate) fn wait(&self, deadline: Option<Instant>, ready: &mut Vec<u32>) -> io::Result<()> {
        ready.clear();
        self.0.wait(deadline, ready)
    }

    /// To be called before it is closed.
    pub(crate) fn remove(&self, member: impl AsFd) -> io::Result<()> {
        self.0.remove(member.as_fd().as_raw_fd());
        Ok(())
    }

    /// What to wait for.
    pub(crate) fn polled(&self) -> Vec<(BorrowedFd<'_>, For)> {
        self.0.polled()
    }

    /// The ids of those that are worth a look, after a wait for all.
    pub(crate) fn ready(&self, seen: &[bool]) -> io::Result<Vec<u32>> {
        Ok(self.0.ready(seen))
    }
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no means for it"))
}
