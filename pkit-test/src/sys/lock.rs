//! Locks on files, which the kernel takes back from whoever dies.
//!
//! A lock of `flock(2)` belongs to an opening of the file: it goes to another process with the descriptor, and is gone with the
//! last copy of that. A fork of a test has copies of all that the test has open, and may outlive it. So whoever is done with a lock
//! says so, and does not rely on the end of its own copy.

use std::ffi::CStr;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow};
use nix::sys::stat::{FchmodatFlags, Mode, fchmodat};

use super::directory;

/// A lock that is held until it is dropped, or this process and all that have inherited it are dead.
#[derive(Debug)]
pub(crate) struct Lock {
    /// None once it was left to somebody else.
    file: Option<OwnedFd>,
}

impl Lock {
    /// Takes the lock of a file in a directory, which is made if it is not there; `None` where somebody has it.
    pub(crate) fn try_take(directory: impl AsFd, name: &CStr) -> io::Result<Option<Lock>> {
        let file = open(directory, name)?;
        Ok(flock(&file, libc::LOCK_EX | libc::LOCK_NB)?.then(|| Lock::of(file)))
    }

    /// The same, and waits for it; `None` at the deadline.
    pub(crate) fn take_until(directory: impl AsFd, name: &CStr, deadline: Instant) -> io::Result<Option<Lock>> {
        let file = open(directory, name)?;
        if flock(&file, libc::LOCK_EX | libc::LOCK_NB)? {
            return Ok(Some(Lock::of(file)));
        }
        wait(file, deadline)
    }

    /// One that this process has inherited.
    pub(crate) fn of(file: OwnedFd) -> Lock {
        Lock { file: Some(file) }
    }

    /// Whether it is that of the file which has this name now.
    pub(crate) fn is_in(&self, directory: impl AsFd, name: &CStr) -> bool {
        self.file.as_ref().is_some_and(|file| directory::is_in(file, directory, name))
    }

    /// For a process that is to hold it from now on, and lets go of it.
    pub(crate) fn share(&self) -> io::Result<OwnedFd> {
        self.file.as_ref().expect("only `leave` takes it").try_clone()
    }

    /// Leaves it to whom it is shared with.
    pub(crate) fn leave(mut self) {
        self.file = None;
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Also for the copies of forks. It cannot fail: the descriptor is open.
        let _ = self.file.as_ref().map(|file| flock(file, libc::LOCK_UN));
    }
}

/// The system knows no wait for a lock that ends by itself. So a thread waits for ever, and it is the thread that is waited for.
/// One that is left behind lets go of the lock when it has it.
fn wait(file: OwnedFd, deadline: Instant) -> io::Result<Option<Lock>> {
    let (tell, told) = channel();
    // It takes no signal that a handler of the test waits for.
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let waiter = thread::Builder::new().name("pkit-lock".to_owned()).spawn(move || {
        // Nobody is told where nobody waits any more.
        let _ = tell.send(flock(&file, libc::LOCK_EX).map(|_| Lock::of(file)));
    });
    before.thread_set_mask()?;
    waiter?;
    match told.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        Ok(taken) => taken.map(Some),
        Err(RecvTimeoutError::Timeout) => Ok(None),
        Err(RecvTimeoutError::Disconnected) => Err(io::ErrorKind::BrokenPipe.into()),
    }
}

fn open(directory: impl AsFd, name: &CStr) -> io::Result<OwnedFd> {
    let (flags, mode) =
        (OFlag::O_RDWR | OFlag::O_CREAT | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC, Mode::S_IRUSR | Mode::S_IWUSR);
    match openat(&directory, name, flags, mode) {
        // Made by somebody whose mask leaves its owner out.
        Err(Errno::EACCES) => fchmodat(&directory, name, mode, FchmodatFlags::FollowSymlink)?,
        opened => return Ok(opened?),
    }
    Ok(openat(directory, name, flags, mode)?)
}

/// Whether it was done: a lock that somebody else has is no error.
fn flock(file: &OwnedFd, operation: libc::c_int) -> io::Result<bool> {
    // SAFETY: flock takes two integers, and the descriptor is open.
    match unsafe { libc::flock(file.as_raw_fd(), operation) } {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            error => Err(error),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn in_directory(test: impl FnOnce(&OwnedFd)) {
        let path = std::env::temp_dir().join(format!("pkit-lock-{:x}", crate::sys::random::random()));
        std::fs::create_dir(&path).unwrap();
        test(&directory::open(&path).unwrap());
        std::fs::remove_dir_all(path).unwrap();
    }

    #[test]
    fn a_lock_is_waited_for_until_the_deadline() {
        in_directory(|directory| {
            let held = Lock::try_take(directory, c"lock").unwrap().unwrap();
            assert!(Lock::try_take(directory, c"lock").unwrap().is_none());
            let soon = Instant::now() + Duration::from_millis(20);
            assert!(Lock::take_until(directory, c"lock", soon).unwrap().is_none());
            assert!(Instant::now() >= soon);
            let late = Instant::now() + Duration::from_secs(60);
            let waits = |directory| Lock::take_until(directory, c"lock", late).unwrap().is_some();
            thread::scope(|threads| {
                let waiting = threads.spawn(|| waits(directory));
                drop(held);
                assert!(waiting.join().unwrap());
            });
            // The waiter that was left behind has let go of it, too.
            assert!(waits(directory));
        });
    }

    #[test]
    fn a_copy_keeps_a_lock_that_was_left_and_none_that_was_dropped() {
        in_directory(|directory| {
            let take = || Lock::try_take(directory, c"lock").unwrap();
            let lock = take().unwrap();
            let copy = lock.share().unwrap();
            lock.leave();
            assert!(take().is_none());
            drop(copy);
            // What another test has just forked has copies, too, until it executes something.
            crate::sys::wait::eventually(|| take().is_some());
            let lock = take().unwrap();
            let copy = lock.share().unwrap();
            drop(lock);
            assert!(take().is_some());
            drop(copy);
        });
    }
}
