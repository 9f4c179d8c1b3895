//! Waiting for descriptors and signals at once, in a process that is wholly ours (guardian and shim).
//!
//! SIGCHLD and the signals that ask to end are blocked except inside [`wait`]. So a signal can neither be lost
//! between the look and the wait nor interrupt anything else, and no descriptor is needed for it.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal};

use super::platform;

static ASKED_TO_END: AtomicBool = AtomicBool::new(false);
static CHILD_ENDED: AtomicBool = AtomicBool::new(false);

const ENDS: [Signal; 4] = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGQUIT];

/// The end of a child, and perhaps of the parent: one is sent by the kernel then, and also wakes who was stopped.
const NEWS: [Signal; 2] = [Signal::SIGCHLD, Signal::SIGCONT];

/// What is waited for at one descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    Reading,
    Writing,
    Both,
}

/// Sets the signals up for [`wait`]. To be called once, first thing, in the guardian and in a shim.
pub(crate) fn prepare_signals() -> io::Result<()> {
    ASKED_TO_END.store(false, Ordering::Relaxed);
    platform::prepare_wait()?;
    let mut blocked = SigSet::empty();
    for news in NEWS {
        blocked.add(news);
        set_handler(news, SigHandler::Handler(on_child))?;
    }
    for end in ENDS {
        blocked.add(end);
        set_handler(end, SigHandler::Handler(on_end))?;
    }
    // A reader that is gone and a file that may not grow are errors of the write.
    set_handler(Signal::SIGPIPE, SigHandler::SigIgn)?;
    set_handler(Signal::SIGXFSZ, SigHandler::SigIgn)?;
    Ok(signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&blocked), None)?)
}

/// Takes back what the test ignored, the real-time signals included: exec keeps what is ignored, and a service is to
/// begin as if nobody had been before it. Once, in the guardian, from which everything descends.
pub(crate) fn forget_inherited_signals() {
    for number in 1..=LAST_SIGNAL {
        // SAFETY: SIG_DFL is no function of ours. KILL, STOP and the two that the threads library keeps for itself
        // cannot be set, and need not be.
        let _ = unsafe { libc::signal(number, libc::SIG_DFL) };
    }
}

/// The largest number of a signal on the systems we know.
const LAST_SIGNAL: libc::c_int = 64;

/// Takes back what [`prepare_signals`] did.
pub(crate) fn reset_signals() {
    // All of these have valid arguments and cannot fail. Handlers would go with the exec, but a signal may come first,
    // and they would change memory that is still the parent's.
    for ours in ENDS.into_iter().chain(NEWS).chain([Signal::SIGPIPE, Signal::SIGXFSZ]) {
        let _ = set_handler(ours, SigHandler::SigDfl);
    }
    let _ = signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None);
}

/// Does what the runtime of Rust does before `main`: a reader that is gone is an error of the write.
pub(crate) fn ignore_broken_pipes() {
    // The arguments are valid.
    let _ = set_handler(Signal::SIGPIPE, SigHandler::SigIgn);
}

/// Whether a signal asked this process to end.
pub(crate) fn is_asked_to_end() -> bool {
    ASKED_TO_END.load(Ordering::Relaxed)
}

/// Whether a child ended since the last time this was asked.
pub(crate) fn has_child_ended() -> bool {
    CHILD_ENDED.swap(false, Ordering::Relaxed)
}

extern "C" fn on_child(_: libc::c_int) {
    CHILD_ENDED.store(true, Ordering::Relaxed);
    platform::note_signal();
}

extern "C" fn on_end(_: libc::c_int) {
    ASKED_TO_END.store(true, Ordering::Relaxed);
    platform::note_signal();
}

fn set_handler(number: Signal, handler: SigHandler) -> io::Result<()> {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handlers above only store to an atomic and write to a pipe, which is async-signal-safe.
    unsafe { signal::sigaction(number, &action)? };
    Ok(())
}

/// Waits until one of the descriptors has something, a signal came, or the deadline passed.
///
/// Returns for each whether it is worth a look; all `false` after a signal or at the deadline.
pub(crate) fn wait(fds: &[(BorrowedFd<'_>, For)], deadline: Option<Instant>) -> io::Result<Vec<bool>> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|(fd, what)| libc::pollfd { fd: fd.as_raw_fd(), events: events(*what), revents: 0 }).collect();
    match platform::poll_with_signals(&mut polled, deadline.map(until)) {
        Ok(_) => Ok(polled.iter().map(|one| one.revents != 0).collect()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(vec![false; fds.len()]),
        Err(error) => Err(error),
    }
}

fn until(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// The same for `poll`.
pub(super) fn events(what: For) -> libc::c_short {
    match what {
        For::Reading => libc::POLLIN,
        For::Writing => libc::POLLOUT,
        For::Both => libc::POLLIN | libc::POLLOUT,
    }
}

/// Waits for what happens soon; of use above all where a child that another test is just starting has a copy of our descriptors
/// until its exec, so that nothing is gone at once. The limit only catches a hang.
#[cfg(test)]
#[track_caller]
pub(crate) fn eventually(happens: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !happens() {
        assert!(Instant::now() < deadline, "it never happens");
        std::thread::yield_now();
    }
}
