//! Traces its child, and so stands between it and every signal: the child stops at each, and nobody lets it go on.
//!
//! `tracer`: has a child in a session of its own, takes hold of it, prints `tracing` and pauses, deaf to SIGTERM.

use std::io;

use nix::libc;
use nix::sys::signal::Signal::SIGTERM;
use nix::unistd::{Pid, setsid};
use pkit_test_tests::child::{Args, fail, forked, ignore, pause, say};

fn main() {
    Args::of_process().end();
    let Some(child) = forked() else {
        setsid().expect("a forked child leads no group");
        pause()
    };
    ignore(&[SIGTERM]);
    trace(child);
    say("tracing");
    pause()
}

fn trace(child: Pid) {
    let none = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: the request takes no memory of ours; the child is ours and not reaped.
    let outcome = unsafe { libc::ptrace(libc::PTRACE_SEIZE, child.as_raw(), none, none) };
    if outcome == -1 {
        fail(format_args!("ptrace: {}", io::Error::last_os_error()));
    }
}
