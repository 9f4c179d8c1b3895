//! What every Unix can do, only slower: for other systems, and on Linux for kernels and filters that refuse the better way.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sys::signal::{SigSet, SigmaskHow, sigprocmask};

use super::Failure;
use crate::sys::child::{self, Side};
use crate::sys::fd::set_nonblocking;
use crate::sys::wait::{For, events};

/// A pipe, both ends closed at exec. Between the two calls another thread could start a program, which would hold them:
/// so it is for processes with one thread.
pub(crate) fn pipe_and_mark() -> io::Result<(OwnedFd, OwnedFd)> {
    let (read, write) = nix::unistd::pipe()?;
    for end in [&read, &write] {
        fcntl(end, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    }
    Ok((read, write))
}

/// Runs `child` in a new process, and waits until that executes a program or leaves a failure.
///
/// A copy of this process, which knows of its failure only by what is written to a pipe; exec closes that.
pub(crate) fn spawn_by_fork(child: &mut dyn FnMut() -> Failure) -> io::Result<(i32, Option<Failure>)> {
    spawn_copy(&mut |teller| fail(teller, child()))
}

/// The end of a child that did not become what it was to be.
pub(crate) fn fail(teller: OwnedFd, failure: Failure) -> ! {
    // Whoever does not get it sees the end all the same.
    let _ = std::fs::File::from(teller).write_all(&failure.map(i32::to_ne_bytes).concat());
    child::exit_now(127)
}

/// Runs `child` in a copy of this process, and waits until it closes the descriptor that it is given, by an exec or by
/// itself, or leaves a failure in it. It is not to return.
pub(crate) fn spawn_copy(child: &mut dyn FnMut(OwnedFd)) -> io::Result<(i32, Option<Failure>)> {
    let (read, write) = pipe_and_mark()?;
    // Out of the way of what the child may be given by number.
    let write = above_given(write)?;
    match child::fork()? {
        Side::Child => {
            child(write);
            child::exit_now(127)
        }
        Side::Parent { child } => {
            drop(write);
            let mut said = Vec::new();
            std::fs::File::from(read).read_to_end(&mut said)?;
            Ok((child, failure(&said)))
        }
    }
}

/// Nobody is given so many.
const ABOVE_GIVEN: RawFd = 16;

fn above_given(fd: OwnedFd) -> io::Result<OwnedFd> {
    let moved = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(ABOVE_GIVEN)).map_err(|errno| match errno {
        // So it is called where the number itself is beyond the limit.
        Errno::EINVAL => Errno::EMFILE,
        other => other,
    })?;
    // SAFETY: the duplicate was just made, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

fn failure(said: &[u8]) -> Option<Failure> {
    let number = |at: usize| Some(i32::from_ne_bytes(said.get(at..at + 4)?.try_into().ok()?));
    Some([number(0)?, number(4)?])
}

/// Closes, or marks as closed at exec, what is open from `first` to `last`, one after the other.
pub(crate) fn close_one_by_one(first: RawFd, last: RawFd, marks_only: bool) {
    for fd in open_fds().into_iter().filter(|fd| (first..=last).contains(fd)) {
        // SAFETY: by number; the callers own the whole process at this point, and no Rust value that owns one of these
        // descriptors is used afterwards. A number that is not open any more is an ignored EBADF.
        unsafe {
            if marks_only {
                libc::fcntl(fd, libc::F_SETFD, libc::FD_CLOEXEC);
            } else {
                libc::close(fd);
            }
        }
    }
}

/// Where `/dev/fd` is not the whole list, as on a FreeBSD without fdescfs, it has the standard three only.
const STANDARD_FDS: usize = 3;

/// Numbers beyond are not tried one by one where nobody lists them.
const MOST_FDS: libc::rlim_t = 65_536;

fn open_fds() -> Vec<RawFd> {
    let listed = std::fs::read_dir("/dev/fd").into_iter().flatten().flatten();
    let listed: Vec<RawFd> = listed.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    if listed.len() > STANDARD_FDS {
        return listed;
    }
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    let limit = limit.map_or(MOST_FDS, |(soft, _)| soft.min(MOST_FDS));
    (0..RawFd::try_from(limit).unwrap_or(RawFd::MAX)).collect()
}

/// The pipe by which a signal is seen by a wait for descriptors; -1 where there is none. They live as long as the process.
static SIGNAL_READ: AtomicI32 = AtomicI32::new(-1);
static SIGNAL_WRITE: AtomicI32 = AtomicI32::new(-1);

/// Forgets it, in a fork that has none; it was closed with all other descriptors.
pub(crate) fn forget_signal_pipe() {
    for place in [&SIGNAL_READ, &SIGNAL_WRITE] {
        place.store(-1, Ordering::Relaxed);
    }
}

/// Makes the pipe of this process; a fork needs one of its own.
pub(crate) fn prepare_signal_pipe() -> io::Result<()> {
    let (read, write) = pipe_and_mark()?;
    set_nonblocking(read.as_fd())?;
    set_nonblocking(write.as_fd())?;
    for (end, place) in [(read, &SIGNAL_READ), (write, &SIGNAL_WRITE)] {
        place.store(std::os::fd::IntoRawFd::into_raw_fd(end), Ordering::Relaxed);
    }
    Ok(())
}

/// Lets the wait know that a signal came. To be called by its handler.
pub(crate) fn note_signal() {
    let fd = SIGNAL_WRITE.load(Ordering::Relaxed);
    if fd >= 0 {
        // SAFETY: write is async-signal-safe, and the byte lives on our stack. A full pipe is as good as one byte more. The
        // error number is the business of the code that was interrupted, and is put back.
        unsafe {
            let errno = Errno::last_raw();
            libc::write(fd, [0_u8].as_ptr().cast(), 1);
            Errno::set_raw(errno);
        }
    }
}

/// Waits until a descriptor has something or a signal arrives, with the mask open during the wait only.
///
/// A signal that arrives between the opening and the wait has left a byte.
pub(crate) fn poll_with_signal_pipe(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    let mut all = fds.to_vec();
    all.push(libc::pollfd { fd: SIGNAL_READ.load(Ordering::Relaxed), events: libc::POLLIN, revents: 0 });
    let before = SigSet::empty().thread_swap_mask(SigmaskHow::SIG_SETMASK)?;
    // SAFETY: the array lives through the call.
    let ready = unsafe { libc::poll(all.as_mut_ptr(), all.len() as libc::nfds_t, milliseconds(timeout)) };
    let error = io::Error::last_os_error();
    sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), None)?;
    if ready == -1 {
        return Err(error);
    }
    if all.pop().is_some_and(|pipe| pipe.revents != 0) {
        empty_signal_pipe();
        return Err(io::ErrorKind::Interrupted.into());
    }
    fds.copy_from_slice(&all);
    Ok(usize::try_from(ready).unwrap_or(0))
}

/// How long a wait may take: rounded up, and -1 where there is no deadline.
pub(super) fn milliseconds_until(deadline: Option<Instant>) -> libc::c_int {
    milliseconds(deadline.map(|deadline| deadline.saturating_duration_since(Instant::now())))
}

/// Rounded up, so that nobody comes back before a deadline and goes round without a pause.
fn milliseconds(timeout: Option<Duration>) -> libc::c_int {
    timeout.map_or(-1, |time| libc::c_int::try_from(time.as_micros().div_ceil(1000)).unwrap_or(libc::c_int::MAX))
}

fn empty_signal_pipe() {
    // SAFETY: the pipe lives as long as the process.
    let pipe = unsafe { BorrowedFd::borrow_raw(SIGNAL_READ.load(Ordering::Relaxed)) };
    let mut buffer = [0; 64];
    while nix::unistd::read(pipe, &mut buffer).is_ok_and(|count| count == buffer.len()) {}
}

/// Many descriptors that are waited for one by one.
#[derive(Debug, Default)]
pub(crate) struct PolledCrowd {
    members: RefCell<BTreeMap<u32, (RawFd, For)>>,
}

impl PolledCrowd {
    pub(crate) fn add(&self, member: RawFd, id: u32) {
        self.members.borrow_mut().insert(id, (member, For::Reading));
    }

    pub(crate) fn wait_for_room(&self, id: u32, is_wanted: bool) {
        self.wait_for(id, if is_wanted { For::Both } else { For::Reading });
    }

    pub(crate) fn wait_for(&self, id: u32, wish: For) {
        if let Some((_, what)) = self.members.borrow_mut().get_mut(&id) {
            *what = wish;
        }
    }

    /// Waits for all of them, and tells of those that are worth a look.
    pub(crate) fn wait(&self, deadline: Option<Instant>, ready: &mut Vec<u32>) -> io::Result<()> {
        let members = self.members.borrow();
        let mut polled: Vec<libc::pollfd> =
            members.values().map(|(fd, what)| libc::pollfd { fd: *fd, events: events(*what), revents: 0 }).collect();
        // SAFETY: the array lives through the call.
        let count =
            unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, milliseconds_until(deadline)) };
        match Errno::result(count) {
            Err(Errno::EINTR) => return Ok(()),
            count => count?,
        };
        ready.extend(members.keys().zip(polled).filter(|(_, one)| one.revents != 0).map(|(id, _)| *id));
        Ok(())
    }

    pub(crate) fn remove(&self, member: RawFd) {
        self.members.borrow_mut().retain(|_, (fd, _)| *fd != member);
    }

    /// Whom to wait for, in the order of their ids.
    pub(crate) fn polled(&self) -> Vec<(BorrowedFd<'_>, For)> {
        // SAFETY: whoever closes a descriptor removes it before.
        self.members.borrow().values().map(|(fd, what)| (unsafe { BorrowedFd::borrow_raw(*fd) }, *what)).collect()
    }

    /// The ids of those that are worth a look, after a wait for all.
    pub(crate) fn ready(&self, seen: &[bool]) -> Vec<u32> {
        let members = self.members.borrow();
        members.keys().zip(seen).filter(|(_, is_ready)| **is_ready).map(|(id, _)| *id).collect()
    }
}
