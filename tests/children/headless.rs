//! Its first thread ends and another one goes on: the process looks like a zombie, and is none.
//!
//! `headless`: prints `headless` in a second thread when the first one is gone, and pauses there.

use std::{process, thread};

use nix::libc;
use pkit_test_tests::child::{Args, pause, say, wait_us};
use pkit_test_tests::process::stat;

const BETWEEN_LOOKS_US: u64 = 100;

fn main() {
    Args::of_process().end();
    thread::spawn(|| {
        wait_for_end_of_first();
        say("headless");
        pause()
    });
    // SAFETY: nothing on this thread's stack is borrowed by the other one, and nothing of it is needed any more.
    unsafe { libc::syscall(libc::SYS_exit, 0) };
}

fn wait_for_end_of_first() {
    while stat(process::id()).is_none_or(|stat| stat.state != 'Z') {
        wait_us(BETWEEN_LOOKS_US);
    }
}
