//! SIGTERM inside of a process that wants to hear of it.
//!
//! Until somebody does, nothing of ours stands in its way: it has its default effect, and a library that sets a handler of its
//! own finds none to call after it.
//!
//! Whoever waits is woken by a semaphore and not by a descriptor: a function may close all descriptors that it finds, and what
//! is then written to the number of ours would be in a file of its own.

use std::io;
use std::os::fd::{AsFd as _, IntoRawFd as _, OwnedFd};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};

use super::child::own_pid;
use super::fd::set_nonblocking;
use super::platform;

/// Whether one has come since it is caught.
static HAS_COME: AtomicBool = AtomicBool::new(false);
/// The process that catches it; what it forks does not.
static CATCHER: AtomicI32 = AtomicI32::new(0);
static NEWS: OnceLock<Semaphore> = OnceLock::new();
/// Where a byte is written when one has come; -1 where nobody wants one.
static TOLD: AtomicI32 = AtomicI32::new(-1);

/// From now on SIGTERM is a note, and no end. Says so once; more often it changes nothing.
pub(crate) fn catch() -> io::Result<()> {
    static CAUGHT: OnceLock<Result<(), Errno>> = OnceLock::new();
    Ok((*CAUGHT.get_or_init(install))?)
}

/// Catches it, and makes a descriptor that can be read from when one has come: for a process that is wholly ours, whose code does
/// not close what it finds.
pub(crate) fn told() -> io::Result<OwnedFd> {
    let (reader, writer) = platform::pipe()?;
    set_nonblocking(writer.as_fd())?;
    TOLD.store(writer.into_raw_fd(), Ordering::Relaxed);
    catch()?;
    Ok(reader)
}

fn install() -> Result<(), Errno> {
    NEWS.get_or_init(Semaphore::new);
    CATCHER.store(own_pid(), Ordering::Relaxed);
    // What waits in a system call goes on to wait.
    let action = SigAction::new(SigHandler::Handler(on_term), SaFlags::SA_RESTART, SigSet::empty());
    // SAFETY: the handler does only what a handler may: atomics, getpid, sem_post, signal, raise.
    unsafe { sigaction(Signal::SIGTERM, &action) }.map(drop)
}

/// Where it is caught it ends the process from now on, as if nobody had wanted to hear of it; says whether one has come before.
pub(crate) fn let_go() -> bool {
    if CATCHER.load(Ordering::Relaxed) == own_pid() {
        let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        // SAFETY: it installs no function. It cannot fail, since it was done before.
        let _ = unsafe { sigaction(Signal::SIGTERM, &action) };
    }
    has_come()
}

/// It is caught again, where it was.
pub(crate) fn take_back() {
    if CATCHER.load(Ordering::Relaxed) == own_pid() {
        // As above.
        let _ = install();
    }
}

pub(crate) fn has_come() -> bool {
    HAS_COME.load(Ordering::Relaxed)
}

/// Waits for the next one.
pub(crate) fn wait() {
    NEWS.get_or_init(Semaphore::new).wait();
}

extern "C" fn on_term(_: libc::c_int) {
    if own_pid() != CATCHER.load(Ordering::Relaxed) {
        die_of_it();
        return;
    }
    HAS_COME.store(true, Ordering::Relaxed);
    if let Some(news) = NEWS.get() {
        let errno = Errno::last_raw();
        news.post();
        tell();
        Errno::set_raw(errno);
    }
}

fn tell() {
    let fd = TOLD.load(Ordering::Relaxed);
    if fd >= 0 {
        // SAFETY: write is allowed in a handler, and the byte lives on our stack. A full pipe is as good as one byte more.
        unsafe { libc::write(fd, [0_u8].as_ptr().cast(), 1) };
    }
}

/// The default effect: the signal is sent once more, and comes when the handler has returned.
fn die_of_it() {
    // SAFETY: both are allowed in a handler, and take numbers only.
    unsafe {
        libc::signal(libc::SIGTERM, libc::SIG_DFL);
        libc::raise(libc::SIGTERM);
    }
}

/// Counts what has come and was not taken. Lives as long as the process.
#[derive(Debug)]
struct Semaphore {
    address: usize,
}

impl Semaphore {
    #[cfg(not(target_vendor = "apple"))]
    fn new() -> Semaphore {
        let place: &'static mut std::mem::MaybeUninit<libc::sem_t> =
            Box::leak(Box::new(std::mem::MaybeUninit::zeroed()));
        // SAFETY: the place is there for ever and nobody else's. It cannot fail for the value zero.
        unsafe { libc::sem_init(place.as_mut_ptr(), 0, 0) };
        Semaphore { address: place.as_mut_ptr() as usize }
    }

    /// There it has to have a name, which is taken away at once.
    #[cfg(target_vendor = "apple")]
    fn new() -> Semaphore {
        let name = std::ffi::CString::new(format!("/pkit-{}", own_pid())).expect("digits");
        // SAFETY: the name ends with a zero; what is returned is there until somebody closes it, which nobody does.
        let opened = unsafe {
            libc::sem_unlink(name.as_ptr());
            let opened = libc::sem_open(name.as_ptr(), libc::O_CREAT | libc::O_EXCL, 0o600, 0);
            libc::sem_unlink(name.as_ptr());
            opened
        };
        Semaphore { address: opened as usize }
    }

    fn post(&self) {
        // SAFETY: the semaphore was made above and is never taken away. One that is full was posted often enough.
        let _ = unsafe { libc::sem_post(self.address as *mut libc::sem_t) };
    }

    fn wait(&self) {
        // SAFETY: as above. A signal may end the wait, which then begins again.
        while unsafe { libc::sem_wait(self.address as *mut libc::sem_t) } == -1 && Errno::last() == Errno::EINTR {}
    }
}

/// Zero in the fork.
#[cfg(test)]
pub(crate) fn fork_for_tests() -> i32 {
    // SAFETY: callers go on with what the allocators that we know and the system allow, and end.
    unsafe { libc::fork() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a fork, since from then on the process would not end by it.
    #[test]
    fn it_is_noted_and_wakes_whoever_waits_but_kills_a_fork() {
        let status = status_of_fork(|| {
            catch().unwrap();
            catch().unwrap();
            let came_before = has_come();
            raise();
            wait();
            raise();
            raise();
            wait();
            wait();
            let status = status_of_fork(|| {
                raise();
                7
            });
            let has_died = libc::WIFSIGNALED(status) && libc::WTERMSIG(status) == libc::SIGTERM;
            i32::from(came_before || !has_come() || !has_died)
        });
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0, "{status}");
    }

    fn raise() {
        // SAFETY: it takes a number; what the signal does is what is tested.
        assert_eq!(unsafe { libc::raise(libc::SIGTERM) }, 0);
    }

    fn status_of_fork(run: impl FnOnce() -> i32) -> i32 {
        let pid = fork_for_tests();
        if pid == 0 {
            // SAFETY: it ends the process at once.
            unsafe { libc::_exit(run()) };
        }
        let mut status = 0;
        // SAFETY: it waits for a child of ours, and writes nothing but the one status.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        status
    }
}
