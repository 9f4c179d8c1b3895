//! How one binary is both the test and its guardian.
//!
//! The guardian is the test binary, executed again as `/proc/self/exe` and taken over before `main`, so that nobody
//! has to install or find a helper program. The function below runs at every start of every binary that names this
//! crate: it must cost microseconds, print nothing (the listing of tests reads stdout) and never panic.
//!
//! An environment variable would have been simpler, but services inherit the environment: a test binary started by a
//! service would take itself for a guardian.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

use super::{namespace, platform};

/// The argument that makes a guardian. It has a version, since two versions of the crate can be in one binary, and no
/// test harness accepts it, so that a guardian that was not taken over ends with an error instead of running tests.
const ARGUMENT: &str = concat!("--pkit-test-guardian-v", env!("CARGO_PKG_VERSION"));

static DID_RUN: AtomicBool = AtomicBool::new(false);
/// This process has a guardian, or has had one.
static HAS_SPAWNED: AtomicBool = AtomicBool::new(false);

/// Registers what a guardian does, to run before `main`; said once, by the floor that knows it.
macro_rules! before_main {
    ($guardian_main:path) => {
        ctor::declarative::ctor! {
            #[ctor(unsafe, priority = early)]
            fn before_main() {
                if $crate::sys::takeover::is_guardian() {
                    $guardian_main();
                }
                $crate::sys::namespace::enter_user_namespace_if_asked();
            }
        }
    };
}
pub(crate) use before_main;

/// Whether this process is to be a guardian. Notes that somebody asked.
pub(crate) fn is_guardian() -> bool {
    DID_RUN.store(true, Ordering::Relaxed);
    platform::is_started_as_itself() && has_argument()
}

/// Whether the constructor ran in this process: without it a guardian would run the tests a second time.
pub(crate) fn did_run() -> bool {
    DID_RUN.load(Ordering::Relaxed)
}

/// Reads the command line from the kernel: the arguments of `std` are empty in a musl constructor.
fn has_argument() -> bool {
    let Ok(line) = std::fs::read("/proc/self/cmdline") else { return false };
    line.split(|byte| *byte == 0).nth(1) == Some(ARGUMENT.as_bytes())
}

/// Starts the guardian with a control socket as 0, the owner's pidfd as 1 and a place for its last report as 2.
pub(crate) fn spawn_guardian(control: OwnedFd, owner: OwnedFd, report: Stdio) -> io::Result<Child> {
    HAS_SPAWNED.store(true, Ordering::Relaxed);
    let mut guardian = Command::new(platform::OWN_EXECUTABLE);
    guardian.arg0("pkit-guardian").arg(ARGUMENT).stdin(control).stdout(owner).stderr(report);
    namespace::sharing_rights(|| guardian.spawn())
}

/// Executes this very program again, in this very process, with one more variable in its environment. Returns only where
/// that is not possible: also where a guardian was started already, who would take it for the end of the test.
pub(crate) fn execute_again(variable: &str, value: &str) -> io::Error {
    if HAS_SPAWNED.load(Ordering::Relaxed) {
        return io::Error::other("something was started already");
    }
    let mut arguments = std::env::args_os();
    let name = arguments.next().unwrap_or_default();
    Command::new(platform::OWN_EXECUTABLE).arg0(name).args(arguments).env(variable, value).exec()
}

/// Runs `at_exit` when this process exits normally: at the end of `main` and in `process::exit`.
pub(crate) fn at_exit(run: fn()) {
    static RUN: OnceLock<fn()> = OnceLock::new();
    extern "C" fn call() {
        if let Some(run) = RUN.get() {
            // A panic must not cross into C, and at exit there is nobody left to report it to.
            let _ = std::panic::catch_unwind(run);
        }
    }
    if RUN.set(run).is_ok() {
        // SAFETY: `call` is a function of this binary and lives as long as it; it does not unwind.
        // A full table (32 entries are guaranteed) only costs the polite goodbye: the pidfd tells the guardian.
        let _ = unsafe { libc::atexit(call) };
    }
}
