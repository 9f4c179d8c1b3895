//! How one binary is both the test and its guardian.
//!
//! The guardian is the test binary, executed again as `/proc/self/exe` and taken over before `main`, so that nobody
//! has to install or find a helper program. The function below runs at every start of every binary that names this
//! crate: it must cost microseconds, print nothing (the listing of tests reads stdout) and never panic.
//!
//! An environment variable would have been simpler, but services inherit the environment: a test binary started by a
//! service would take itself for a guardian.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

use super::fresh::Gifts;
use super::without::{Means, lacks};
use super::{child, fd, fresh, namespace, platform};

/// The argument that makes a guardian. It has a version, since two versions of the crate can be in one binary, and no
/// test harness accepts it, so that a guardian that was not taken over ends with an error instead of running tests.
const ARGUMENT: &str = concat!("--pkit-test-guardian-v", env!("CARGO_PKG_VERSION"));

static DID_RUN: AtomicBool = AtomicBool::new(false);
/// This process has a guardian, or has had one.
static HAS_SPAWNED: AtomicBool = AtomicBool::new(false);

/// The argument that makes a function process of a binary that was executed for it.
const FUNCTION: &str = concat!("--pkit-test-function-v", env!("CARGO_PKG_VERSION"));

/// Registers what a guardian does, to run before `main`; said once, by the floor that knows it.
///
/// Not by `ctor`, which hides its entry in the array of constructors: by our place in it we know those that come after us.
#[cfg(target_os = "linux")]
macro_rules! before_main {
    ($guardian_main:path) => {
        #[used]
        // As early as a constructor may be: lower numbers are the C library's.
        #[unsafe(link_section = ".init_array.00101")]
        static BEFORE_MAIN: extern "C" fn() = before_main;

        extern "C" fn before_main() {
            $crate::sys::takeover::take_over($guardian_main, Some((&raw const BEFORE_MAIN).addr()));
        }

        $crate::sys::takeover::behind_the_others!();
    };
}

#[cfg(not(target_os = "linux"))]
macro_rules! before_main {
    ($guardian_main:path) => {
        ctor::declarative::ctor! {
            #[ctor(unsafe, priority = early)]
            fn before_main() {
                $crate::sys::takeover::take_over($guardian_main, None);
            }
        }

        $crate::sys::takeover::behind_the_others!();
    };
}
pub(crate) use before_main;

/// For a function where nobody knows which constructors come after ours: it runs when all that can be have run.
macro_rules! behind_the_others {
    () => {
        ctor::declarative::ctor! {
            #[ctor(unsafe, priority = late)]
            fn behind_the_others() {
                $crate::sys::takeover::take_over_late();
            }
        }
    };
}
pub(crate) use behind_the_others;

/// Takes this process over if it is to be a guardian or a function. Notes that somebody asked, and at which place in the
/// array of constructors, if that is known.
pub(crate) fn take_over(guardian_main: fn() -> !, place: Option<usize>) {
    DID_RUN.store(true, Ordering::Relaxed);
    fresh::note_registered(place);
    let role = role();
    if role == Role::Guardian {
        guardian_main();
    }
    if role == Role::Function && fresh::can_be_forked() {
        run_function();
    }
    if role == Role::Program {
        namespace::enter_user_namespace_if_asked();
    }
}

/// Takes it over if it is to be a function and still is not.
pub(crate) fn take_over_late() {
    if role() == Role::Function && !fresh::can_be_forked() {
        run_function();
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Program,
    Guardian,
    Function,
}

/// What this process was executed to be.
fn role() -> Role {
    if !platform::is_started_as_itself() && !lacks(Means::Execfn) {
        return Role::Program;
    }
    match arguments().get(1) {
        Some(argument) if argument == ARGUMENT.as_bytes() => Role::Guardian,
        Some(argument) if argument == FUNCTION.as_bytes() => Role::Function,
        _ => Role::Program,
    }
}

/// What says that a rope is there, beside the slate.
const WITH_ROPE: &CStr = c"rope";
const WITHOUT_ROPE: &CStr = c"none";

/// Where the two are.
const SLATE: RawFd = 3;
const ROPE: RawFd = 4;

/// The program and the arguments that run a function of this binary, which is to have its slate as 3 and its rope as 4.
pub(crate) fn function_command(name: CString, entry: u64, has_rope: bool) -> io::Result<(PathBuf, Vec<CString>)> {
    let rope = if has_rope { WITH_ROPE } else { WITHOUT_ROPE };
    let arguments = vec![name, CString::new(FUNCTION)?, CString::new(entry.to_string())?, rope.to_owned()];
    Ok((platform::own_executable_as_itself()?, arguments))
}

/// Runs what [`function_command`] asks for. If that is nothing that can be run it goes on to `main`, where nobody knows such
/// arguments.
fn run_function() {
    let arguments = arguments();
    let [name, _, entry, rope, ..] = &arguments[..] else { return };
    let entry = std::str::from_utf8(entry).ok().and_then(|entry| entry.parse().ok()).and_then(fresh::entry_at);
    // SAFETY: whoever has executed us so has put them there, and before `main` nobody else owns a descriptor.
    let slate = unsafe { fd::given(SLATE) };
    let (Some(entry), Ok(slate), Ok(name)) = (entry, slate, CString::new(name.as_slice())) else { return };
    // SAFETY: as above.
    let rope = (rope == WITH_ROPE.to_bytes()).then(|| unsafe { fd::given(ROPE) }).and_then(io::Result::ok);
    if fresh::begin_executed(&name).is_ok() {
        fresh::run(entry, Gifts { slate, rope: rope.map(Into::into) });
    }
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
