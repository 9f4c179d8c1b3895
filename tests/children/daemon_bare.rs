//! Leaves a daemon behind that also has an empty environment: no mark that was put there finds it.
//!
//! `daemon_bare`: prints `daemon PID` when the daemon has left and executed itself again without any environment
//! variable, and stays. Called with `--bare` it is that daemon.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use pkit_test_tests::child::daemon::{Unsettled, close_all, detached};
use pkit_test_tests::child::{Args, fail, pause, say};

fn main() {
    let mut args = Args::of_process();
    let is_daemon = args.flag("--bare");
    args.end();
    if is_daemon {
        close_all();
        pause();
    }
    let pid = detached(exec_bare);
    say(format_args!("daemon {pid}"));
    pause()
}

/// It is settled when the exec succeeds, which closes the descriptor.
fn exec_bare(_unsettled: Unsettled) {
    fail(Command::new("/proc/self/exe").arg("--bare").env_clear().exec())
}
