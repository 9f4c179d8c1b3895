//! FreeBSD: reapers and death signals by `procctl(2)`.

use std::io;

use nix::libc;

use crate::sys::child::own_pid;

/// `struct procctl_reaper_kill`
#[repr(C)]
struct ReaperKill {
    signal: libc::c_int,
    flags: libc::c_uint,
    subtree: libc::pid_t,
    killed: libc::c_uint,
    failed: libc::pid_t,
    padding: [libc::c_uint; 15],
}

/// Orphans among the descendants become children of the calling process.
pub(crate) fn become_subreaper() -> io::Result<()> {
    control(libc::PROC_REAP_ACQUIRE, std::ptr::null_mut())
}

/// Kills all descendants in one call, so that nobody hops away.
pub(crate) fn kill_descendants() {
    let mut order = ReaperKill { signal: libc::SIGKILL, flags: 0, subtree: 0, killed: 0, failed: 0, padding: [0; 15] };
    // Without descendants, or without being a reaper, there is nothing to kill.
    let _ = control(libc::PROC_REAP_KILL, (&raw mut order).cast());
}

/// The calling process is killed when its parent dies.
pub(crate) fn die_with_parent() -> io::Result<()> {
    signal_with_parent(libc::SIGKILL)
}

/// The calling process is woken when its parent dies, should somebody have stopped it.
pub(crate) fn wake_with_parent() {
    // Without it a stopped process only sleeps on.
    let _ = signal_with_parent(libc::SIGCONT);
}

/// The arguments of this process, each with a zero behind it.
pub(crate) fn own_command_line() -> Vec<u8> {
    crate::sys::procfs::arguments(own_pid()).unwrap_or_default()
}

fn signal_with_parent(mut signal: libc::c_int) -> io::Result<()> {
    control(libc::PROC_PDEATHSIG_CTL, (&raw mut signal).cast())
}

/// About the calling process.
fn control(command: libc::c_int, data: *mut libc::c_void) -> io::Result<()> {
    // SAFETY: each caller passes what its command takes, and it lives through the call.
    let result = unsafe { libc::procctl(libc::P_PID, own_pid().into(), command, data) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
