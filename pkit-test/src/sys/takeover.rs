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

use super::without::{Means, lacks};
use super::{child, namespace, platform};

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
    let is_likely = platform::is_started_as_itself() || lacks(Means::Execfn);
    is_likely && arguments().get(1).is_some_and(|argument| argument == ARGUMENT.as_bytes())
}

/// Whether the constructor ran in this process: without it a guardian would run the tests a second time.
pub(crate) fn did_run() -> bool {
    DID_RUN.load(Ordering::Relaxed)
}

/// The command line of this process, from the kernel: the arguments of `std` are empty in a musl constructor.
fn arguments() -> Vec<Vec<u8>> {
    platform::own_command_line().split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

/// How the guardian is to know that the test has died.
#[derive(Debug)]
pub(crate) enum Owner {
    /// A descriptor that becomes readable then, which the test has made.
    Pidfd(OwnedFd),
    /// The test is its parent, and has this id. For where a test cannot make such a descriptor.
    Parent(i32),
}

/// What stands for a pidfd among the arguments, where the id of the parent would be.
const BY_PIDFD: &str = "pidfd";

impl Owner {
    /// This process.
    pub(crate) fn this_process() -> Owner {
        platform::pidfd_of_self().map_or_else(|_| Owner::Parent(child::own_pid()), Owner::Pidfd)
    }

    /// The process that started this guardian, which has left a descriptor if it has said so.
    pub(crate) fn of_guardian(left: OwnedFd) -> Owner {
        let said = arguments().get(2).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        said.parse().map_or(Owner::Pidfd(left), Owner::Parent)
    }

    fn argument(&self) -> String {
        match self {
            Owner::Pidfd(_) => BY_PIDFD.to_owned(),
            Owner::Parent(pid) => pid.to_string(),
        }
    }

    fn into_stdio(self) -> Stdio {
        match self {
            Owner::Pidfd(pidfd) => pidfd.into(),
            Owner::Parent(_) => Stdio::null(),
        }
    }
}

/// Starts the guardian with a control socket as 0, the owner's pidfd as 1 and a place for its last report as 2.
pub(crate) fn spawn_guardian(control: OwnedFd, owner: Owner, report: Stdio) -> io::Result<Child> {
    HAS_SPAWNED.store(true, Ordering::Relaxed);
    let mut guardian = Command::new(platform::own_executable()?);
    guardian.arg0("pkit-guardian").args([ARGUMENT, &owner.argument()]);
    guardian.stdin(control).stdout(owner.into_stdio()).stderr(report);
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
    let again = |program| Command::new(program).arg0(name).args(arguments).env(variable, value).exec();
    platform::own_executable().map_or_else(|error| error, again)
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
