//! How one binary is both the test and its guardian.
//!
//! The guardian is the test binary, executed again as `/proc/self/exe` and taken over before `main`, so that nobody
//! has to install or find a helper program. So is the broker of a run, which executes its guardians in turn: those are the
//! binaries of others, whose descriptors it was sent, so that they are executed as `/proc/self/fd/7`. The function below runs at every start of every binary that names this
//! crate: it must cost microseconds, print nothing (the listing of tests reads stdout) and never panic.
//!
//! An environment variable would have been simpler, but services inherit the environment: a test binary started by a
//! service would take itself for a guardian.

use std::ffi::{CStr, CString};
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::libc;

use super::child::FileLimit;
use super::fresh::Gifts;
use super::held::Identity;
use super::without::{Means, lacks};
use super::{child, fd, fresh, namespace, platform, procfs, strays};

/// The argument that makes a guardian. It has a version, since two versions of the crate can be in one binary, and no
/// test harness accepts it, so that a guardian that was not taken over ends with an error instead of running tests.
const ARGUMENT: &str = concat!("--pkit-test-guardian-v", env!("CARGO_PKG_VERSION"));

static DID_RUN: AtomicBool = AtomicBool::new(false);
/// This process has a guardian, or has had one.
static HAS_SPAWNED: AtomicBool = AtomicBool::new(false);

/// The argument that makes the broker of a run.
const BROKER: &str = concat!("--pkit-test-broker-v", env!("CARGO_PKG_VERSION"));

/// The argument that makes a function process of a binary that was executed for it.
const FUNCTION: &str = concat!("--pkit-test-function-v", env!("CARGO_PKG_VERSION"));

/// Registers what a guardian does, and what a broker does, to run before `main`; said once, by the floor that knows both.
///
/// Not by `ctor`, which hides its entry in the array of constructors: by our place in it we know those that come after us.
#[cfg(target_os = "linux")]
macro_rules! before_main {
    ($guardian_main:path, $broker_main:path) => {
        #[used]
        // As early as a constructor may be: lower numbers are the C library's.
        #[unsafe(link_section = ".init_array.00101")]
        static BEFORE_MAIN: extern "C" fn() = before_main;

        extern "C" fn before_main() {
            $crate::sys::takeover::take_over($guardian_main, $broker_main, Some((&raw const BEFORE_MAIN).addr()));
        }

        $crate::sys::takeover::behind_the_others!();
    };
}

#[cfg(not(target_os = "linux"))]
macro_rules! before_main {
    ($guardian_main:path, $broker_main:path) => {
        ctor::declarative::ctor! {
            #[ctor(unsafe, priority = early)]
            fn before_main() {
                $crate::sys::takeover::take_over($guardian_main, $broker_main, None);
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

/// Takes this process over if it is to be a guardian, a broker or a function. Notes that somebody asked, and at which place in the
/// array of constructors, if that is known.
pub(crate) fn take_over(guardian_main: fn() -> !, broker_main: fn() -> !, place: Option<usize>) {
    DID_RUN.store(true, Ordering::Relaxed);
    fresh::note_registered(place);
    let role = role();
    if role == Role::Guardian {
        guardian_main();
    }
    if role == Role::Broker {
        broker_main();
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
    Broker,
    Function,
}

/// What this process was executed to be.
fn role() -> Role {
    if !platform::is_started_as_itself() && !lacks(Means::Execfn) {
        return Role::Program;
    }
    match arguments().get(1) {
        Some(argument) if argument == ARGUMENT.as_bytes() => Role::Guardian,
        Some(argument) if argument == BROKER.as_bytes() => Role::Broker,
        Some(argument) if argument == FUNCTION.as_bytes() => Role::Function,
        _ => Role::Program,
    }
}

/// What says that a rope is there, beside the slate.
const WITH_ROPE: &CStr = c"rope";
const WITHOUT_ROPE: &CStr = c"none";

/// Where the two are. Behind them is the binary, where it was executed by its descriptor.
const SLATE: RawFd = 3;
const ROPE: RawFd = 4;

/// The program and the arguments that run a function of this binary, which is to have its slate as 3 and its rope as 4.
pub(crate) fn function_command(name: CString, entry: u64, has_rope: bool) -> io::Result<(PathBuf, Vec<CString>)> {
    Ok((platform::own_executable_as_itself()?, function_arguments(name, entry, has_rope)?))
}

/// The same for a function of another binary, which is to have a descriptor of that behind the two.
pub(crate) fn function_command_of_another(
    name: CString,
    entry: u64,
    has_rope: bool,
) -> io::Result<(PathBuf, Vec<CString>)> {
    let binary = if has_rope { ROPE + 1 } else { ROPE };
    let mut arguments = function_arguments(name, entry, has_rope)?;
    arguments.push(CString::new(binary.to_string())?);
    Ok((platform::executable_behind(binary), arguments))
}

fn function_arguments(name: CString, entry: u64, has_rope: bool) -> io::Result<Vec<CString>> {
    let rope = if has_rope { WITH_ROPE } else { WITHOUT_ROPE };
    Ok(vec![name, CString::new(FUNCTION)?, CString::new(entry.to_string())?, rope.to_owned()])
}

/// Runs what [`function_command`] asks for. If that is nothing that can be run it goes on to `main`, where nobody knows such
/// arguments.
fn run_function() {
    let arguments = arguments();
    let [name, _, entry, rope, rest @ ..] = &arguments[..] else { return };
    close_binary(rest);
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

/// The descriptor by which this binary was executed has done its work.
fn close_binary(arguments: &[Vec<u8>]) {
    let number = arguments.first().and_then(|number| std::str::from_utf8(number).ok()?.parse::<RawFd>().ok());
    // SAFETY: whoever has executed us so has put it there, and before `main` nobody else owns a descriptor.
    drop(number.map(|number| unsafe { fd::given(number) }));
}

/// Whether the constructor ran in this process: without it a guardian would run the tests a second time.
pub(crate) fn did_run() -> bool {
    DID_RUN.load(Ordering::Relaxed)
}

/// The command line of this process, from the kernel: the arguments of `std` are empty in a musl constructor.
fn arguments() -> Vec<Vec<u8>> {
    platform::own_command_line().split(|byte| *byte == 0).map(<[u8]>::to_vec).collect()
}

/// How the guardian is to know that the test has died; or the broker, that the run is over.
#[derive(Debug)]
pub(crate) enum Owner {
    /// A descriptor that becomes readable then, which the test has made.
    Pidfd(OwnedFd),
    /// The test is its parent, and has this id. For where a test cannot make such a descriptor. Of a broker it is no parent: the
    /// id of the runner.
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

    /// For a broker, whose owner is known by its birth where it is known by its id: it need not be the parent.
    fn of_broker(&self) -> String {
        match self {
            Owner::Pidfd(_) => BY_PIDFD.to_owned(),
            // One that is gone has no birth, and the broker is told of one that nobody has.
            Owner::Parent(pid) => Identity::of(*pid).unwrap_or(Identity { pid: *pid, birth: 0 }).to_string(),
        }
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

/// The same for a guardian of the broker: it is the program that this descriptor is open at, and reports to nobody. Its services
/// get the limit of open files that the broker had.
pub(crate) fn spawn_guardian_from(
    program: &OwnedFd,
    control: OwnedFd,
    file_limit: Option<FileLimit>,
) -> io::Result<i32> {
    let owner = Owner::this_process();
    let mut guardian = Command::new(platform::executable_of(program.as_fd()));
    guardian.arg0("pkit-guardian").args([ARGUMENT, &owner.argument()]).args(file_limit.map(FileLimit::said));
    guardian.stdin(control).stdout(owner.into_stdio()).stderr(Stdio::null());
    // It is reaped with all other children.
    let pid = guardian.spawn()?.id() as i32;
    strays::has_begun(pid);
    Ok(pid)
}

/// The limit of open files that the services of this guardian are to have, if the broker has said so.
pub(crate) fn said_file_limit() -> Option<String> {
    arguments().get(3).map(|word| String::from_utf8_lossy(word).into_owned())
}

/// This very program, for whoever is to execute it when its file may be another one.
pub(crate) fn own_binary() -> io::Result<OwnedFd> {
    Ok(std::fs::File::open(platform::own_executable()?)?.into())
}

/// Starts the broker of a run with a listening socket as 0, the owner's pidfd as 1 and the lock that it is to hold as 2.
///
/// It is nobody's to wait for: the run may outlive whoever starts it.
pub(crate) fn spawn_broker(listener: OwnedFd, owner: Owner, alive: OwnedFd) -> io::Result<Child> {
    HAS_SPAWNED.store(true, Ordering::Relaxed);
    let mut broker = Command::new(platform::own_executable()?);
    broker.arg0("pkit-broker").args([BROKER, &owner.of_broker()]);
    broker.stdin(listener).stdout(owner.into_stdio()).stderr(alive);
    namespace::sharing_rights(|| broker.spawn())
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

/// Whom a broker is to watch.
#[derive(Debug)]
pub(crate) enum Runner {
    /// Becomes readable when it is dead.
    Pidfd(OwnedFd),
    Known(Identity),
}

impl Runner {
    /// The one that this broker was started for, with what was left in place of a standard descriptor.
    pub(crate) fn of_broker(left: OwnedFd) -> Runner {
        let said = arguments().get(2).map(|word| String::from_utf8_lossy(word).into_owned()).unwrap_or_default();
        let numbers = said.split_once(' ').and_then(|(pid, birth)| Some((pid.parse().ok()?, birth.parse().ok()?)));
        numbers.map_or(Runner::Pidfd(left), |(pid, birth)| Runner::Known(Identity { pid, birth }))
    }

    /// Its mask for files, where that is told.
    pub(crate) fn file_mask(&self) -> Option<u32> {
        procfs::file_mask(match self {
            Runner::Pidfd(pidfd) => procfs::pid_of(pidfd)?,
            Runner::Known(runner) => runner.pid,
        })
    }
}

/// Runs this when the process exits normally: at the end of `main` and in `process::exit`.
pub(crate) fn at_exit(run: fn()) {
    register(&FIRST, run);
}

/// The same, and after what [`at_exit`] was given, whatever was said earlier.
pub(crate) fn at_exit_behind(run: fn()) {
    register(&BEHIND, run);
}

static FIRST: OnceLock<fn()> = OnceLock::new();
static BEHIND: OnceLock<fn()> = OnceLock::new();

/// The C library is told once, as it has an order of its own: that of the registrations.
fn register(place: &OnceLock<fn()>, run: fn()) {
    static IS_TOLD: AtomicBool = AtomicBool::new(false);
    extern "C" fn call() {
        for run in [&FIRST, &BEHIND].into_iter().filter_map(OnceLock::get) {
            // A panic must not cross into C, and at exit there is nobody left to report it to.
            let _ = std::panic::catch_unwind(run);
        }
    }
    if place.set(run).is_ok() && !IS_TOLD.swap(true, Ordering::Relaxed) {
        // SAFETY: `call` is a function of this binary and lives as long as it; it does not unwind.
        // A full table (32 entries are guaranteed) only costs the polite goodbye: the pidfd tells the guardian.
        let _ = unsafe { libc::atexit(call) };
    }
}
