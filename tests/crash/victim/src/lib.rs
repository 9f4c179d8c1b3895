//! What all victims do before they die: they bring two processes up, and say so.
//!
//! Which processes is told by environment variables, as a test takes no arguments: `VICTIM_COMMAND`, and
//! `VICTIM_READY`, a pattern to wait for in the output or `tcp`; or by `VICTIM_FUNCTION`, one of our own. A file named by `VICTIM_UP` is written when they are
//! up, for those whose output is kept from us.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs, process};

use nix::errno::Errno;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigHandler, Signal, kill, raise, signal as sigaction};
use nix::unistd::Pid;
use pkit_test::{Executor as _, Isolation, output, tcp};
use pkit_test_tests::child::{pause, wait_ms};
use pkit_test_tests::private::{survivors, wait_gone};
use pkit_test_tests::process::{children, has_child};

mod chosen;
mod functions;

pub use chosen::{Chosen, Held};

/// Short, as some children are deaf and every run of them waits for it.
const GRACE: Duration = Duration::from_millis(100);

/// The process that the driver chose.
#[must_use]
pub fn spec() -> Chosen {
    let chosen = match env::var("VICTIM_FUNCTION") {
        Ok(name) => functions::named(&name),
        Err(_) => program(),
    };
    let spec = chosen.stop_timeout(GRACE);
    // Whatever is killed at one moment, the kernel ends what is in there.
    if env::var_os("VICTIM_ISOLATED").is_some() { spec.isolate(Isolation::Pid) } else { spec }
}

fn program() -> Chosen {
    let command = variable("VICTIM_COMMAND");
    Chosen::Program(match variable("VICTIM_READY").as_str() {
        "tcp" => tcp(command, 0),
        pattern => output(command, pattern),
    })
}

/// Waits until nothing runs the driver's program any more, or as long as the driver wants: for who goes on when a test is
/// over.
pub fn wait_until_all_are_gone() {
    // A runner has no such wish. Two of its tests that go on execute the same file, and wait for each other: so it is half of what
    // the driver waits.
    let most_ms = env::var("VICTIM_PATIENCE_MS").map_or(30_000, |text| text.parse().expect("a number"));
    let most = Duration::from_millis(most_ms);
    let _ = wait_gone(&PathBuf::from(variable("VICTIM_PROGRAM")), most); // The driver counts.
    if env::var_os("VICTIM_FUNCTION").is_some() {
        wait_until_alone(most);
    }
}

/// A function executes what we do.
fn wait_until_alone(most: Duration) {
    let own = env::current_exe().expect("procfs is mounted");
    let deadline = Instant::now() + most;
    while survivors(&own) != [process::id()] && Instant::now() < deadline {
        wait_ms(2);
    }
}

/// Brings two of them up, and says so.
#[must_use]
pub fn up() -> (Held, Held) {
    say("starting");
    let start = || spec().start().unwrap_or_else(|error| panic!("{error}"));
    let pair = (start(), start());
    say_up();
    pair
}

/// Tells the driver that they are up: what dies before that has shown nothing. From here on nobody leaves a core file.
pub fn say_up() {
    setrlimit(Resource::RLIMIT_CORE, 0, 0).expect("a limit can be lowered");
    say("up");
    if let Some(path) = env::var_os("VICTIM_UP") {
        fs::write(path, "up\n").expect("the driver chose a place that can be written");
    }
}

/// Dies of a signal, also of one that Rust's runtime or its parent has seen to.
pub fn die_of(signal: Signal) -> ! {
    if signal != Signal::SIGKILL {
        // SAFETY: the default action is no code of this process.
        unsafe { sigaction(signal, SigHandler::SigDfl) }.expect("it is not SIGKILL");
    }
    raise(signal).expect("it is a signal");
    pause()
}

/// The process that owns what we started: our child, made from our own executable.
#[must_use]
pub fn guardian() -> u32 {
    let own = executable(process::id());
    let found = children(process::id()).into_iter().find(|&pid| executable(pid) == own);
    found.expect("something was started, so there is a guardian")
}

/// The guardian's children: a shim for each process, and perhaps one that is kept for the next.
#[must_use]
pub fn shims() -> Vec<u32> {
    children(guardian())
}

/// One of those that have a process to look after.
#[must_use]
pub fn busy_shim() -> u32 {
    let busy: Vec<u32> = shims().into_iter().filter(|&pid| has_child(pid)).collect();
    assert!(busy.len() >= 2, "one for each of the two, and for what they have beside them");
    busy[0]
}

/// SIGKILL, from outside of all that it was prepared for.
pub fn murder(pid: u32) {
    let raw = i32::try_from(pid).expect("a pid is small");
    match kill(Pid::from_raw(raw), Signal::SIGKILL) {
        // A janitor is a child of the guardian as well, and ends by itself.
        Ok(()) | Err(Errno::ESRCH) => {}
        Err(error) => panic!("it is ours: {error}"),
    }
}

/// Says a line, flushed.
///
/// Not by `println!`, which the harness keeps until a test has ended, and ours end otherwise.
pub fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).expect("the driver reads");
}

fn executable(pid: u32) -> Option<PathBuf> {
    fs::read_link(format!("/proc/{pid}/exe")).ok()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: the crash tests run this, nobody else does"))
}
