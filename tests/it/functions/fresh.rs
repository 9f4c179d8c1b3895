//! A function finds what a program that was just executed finds: nothing of the test, nothing of the guardian.

use std::collections::BTreeMap;
use std::env;
use std::ffi::{CStr, c_char, c_int};
use std::fs;
use std::io::Read as _;
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use nix::libc;
use pkit_test::{Spec, Worker, current, function, simple};
use pkit_test_tests::left_out;
use pkit_test_tests::portrait::portrait;

use super::with_children;
use crate::child::child;
use crate::nested::{WITHOUT, victim};

type Portrait = BTreeMap<String, String>;

/// What may differ from a program that the same spec starts, and why.
const MAY_DIFFER: &[(&str, &str)] = &[
    ("fd 0", "a program is given a pipe that the test may write to, a function has no input"),
    ("SigCgt", "see `it_catches_less_than_a_program`"),
    ("FDSize", "a table of descriptors only grows, and that of a fork is as large as that of whom it is forked from"),
];

/// What a program of that spec sees, and what a function does.
fn both(vain: &str, spec: &dyn Fn(Spec) -> Spec, other: &dyn Fn(Spec<Worker<Portrait>>) -> Spec<Worker<Portrait>>) {
    let program = spec(simple(vain)).start().unwrap();
    assert!(program.wait().unwrap().success(), "{}", program.output());
    let lines: Portrait = program
        .stdout()
        .lines()
        .filter_map(|line| line.split_once(": ").or_else(|| Some((line.strip_suffix(':')?, ""))))
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect();
    let seen = other(function(portrait, ())).start().unwrap().join().unwrap();
    let keys = lines.keys().chain(seen.keys()).filter(|key| MAY_DIFFER.iter().all(|(known, _)| known != key));
    let differences: BTreeMap<_, _> = keys
        .filter(|key| lines.get(*key) != seen.get(*key))
        .map(|key| (key, (lines.get(key), seen.get(key))))
        .collect();
    assert!(differences.is_empty(), "program and function differ: {differences:#?}");
}

/// The same thing, done to a spec of either kind.
macro_rules! both {
    ($vain:expr, |$spec:ident| $changed:expr) => {
        both($vain, &|$spec| $changed, &|$spec| $changed)
    };
}

#[test]
fn it_finds_what_a_program_finds() {
    let vain = child("vain");
    both!(&vain.with(""), |spec| spec);
    both!(&vain.with(""), |spec| spec.cwd("/usr").env("A", "1").env("HOME", "/nowhere"));
    both!(&vain.with(""), |spec| spec.env_clear().env("A", "1").env("EMPTY", ""));
    both!(&vain.with(""), |spec| spec.env("PLACE", "{host}").cwd("/").port("api"));
}

#[test]
fn it_finds_what_a_program_finds_that_another_user_runs() {
    if !nix::unistd::geteuid().is_root() {
        return left_out::because("only root can run a process as somebody else");
    }
    // The target directory may be out of reach for anybody else, and so may what is executed.
    let seen = function(portrait, ()).user("nobody").start().unwrap().join().unwrap();
    let user = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let (uid, gid) = (user.uid.as_raw(), user.gid.as_raw());
    assert_eq!(seen["user"], format!("{uid} {uid} {gid} {gid}"));
    assert_eq!((&*seen["env USER"], &*seen["env LOGNAME"]), ("nobody", "nobody"));
    assert_eq!(seen["CapEff"], "0000000000000000");
    // As after an `execve` that changed nobody's rights.
    assert_eq!(seen["dumpable"], "Ok(true)");
}

/// The runtime of Rust installs handlers for the end of the stack before `main`, which a function has not come by. What they
/// do is to say so; that it is the end is the same.
#[test]
fn it_catches_less_than_a_program() {
    let seen = function(portrait, ()).start().unwrap().join().unwrap();
    let caught = u64::from_str_radix(&seen["SigCgt"], 16).unwrap();
    let may = [libc::SIGSEGV, libc::SIGBUS, libc::SIGTERM].map(|signal| 1_u64 << (signal - 1)).iter().sum::<u64>();
    assert_eq!(caught & !may, 0, "{caught:x}");
}

#[test]
fn its_input_is_at_its_end() {
    fn input() -> (String, usize) {
        let target = fs::read_link("/proc/self/fd/0").unwrap().display().to_string();
        (target, std::io::stdin().read(&mut [0; 8]).unwrap())
    }
    let (target, length) = function(input, ()).start().unwrap().join().unwrap();
    assert_eq!((target.as_str(), length), ("/dev/null", 0));
}

#[test]
fn what_is_printed_and_not_flushed_comes_out() {
    fn prints() {
        print!("from Rust");
        // SAFETY: the format has no directive.
        unsafe { libc::printf(c"from C".as_ptr()) };
        eprint!("an error");
    }
    let worker = function(prints, ()).start().unwrap();
    worker.join().unwrap();
    let out = worker.stdout();
    assert!(out.contains("from Rust") && out.contains("from C") && out.len() == 15, "{out}");
    assert_eq!(worker.stderr(), "an error");
}

#[test]
fn a_reader_that_is_gone_is_an_error_and_no_end() {
    fn writes() -> String {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        drop(reader);
        nix::unistd::write(writer, b"x").unwrap_err().to_string()
    }
    assert_eq!(function(writes, ()).start().unwrap().join().unwrap(), nix::errno::Errno::EPIPE.to_string());
}

#[test]
#[expect(
    clippy::disallowed_methods,
    reason = "in the process of the function there is one thread, and this is about its environment"
)]
fn its_environment_is_its_own() {
    fn changes() -> (Vec<(String, String)>, Option<String>, String) {
        let first = env::vars().collect();
        // SAFETY: this process has no other thread.
        unsafe {
            env::set_var("NEW", "set");
            env::set_var("A", "changed");
            env::remove_var("B");
        }
        // SAFETY: the name ends with a zero, and nobody changes the environment meanwhile.
        let in_c = unsafe { libc::getenv(c"A".as_ptr()) };
        // SAFETY: it is the value that was set above.
        let in_c = (!in_c.is_null()).then(|| unsafe { CStr::from_ptr(in_c) }.to_string_lossy().into_owned());
        let child = process::Command::new("/bin/sh").args(["-c", "echo $NEW $A $B."]).output().unwrap();
        (first, in_c, String::from_utf8(child.stdout).unwrap())
    }
    let spec = function(changes, ()).env_clear().env("A", "1").env("B", "2").env("A", "a=b\nc").env("GRÖSSE", "ß");
    let (first, in_c, in_child) = spec.start().unwrap().join().unwrap();
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(first, [pair("A", "a=b\nc"), pair("B", "2"), pair("GRÖSSE", "ß")]);
    assert_eq!((in_c.as_deref(), in_child.as_str()), (Some("changed"), "set changed .\n"));
}

#[test]
fn its_arguments_are_the_name_of_the_binary() {
    fn look() -> (Vec<String>, Vec<u8>, String, PathBuf) {
        let (line, name) = (fs::read("/proc/self/cmdline").unwrap(), fs::read_to_string("/proc/self/comm").unwrap());
        (env::args().collect(), line, name, env::current_exe().unwrap())
    }
    let (arguments, line, name, binary) = function(look, ()).start().unwrap().join().unwrap();
    let own = env::current_exe().unwrap();
    // With musl they are those that `main` was given, and nobody has called it.
    let given = if cfg!(target_env = "musl") { Vec::new() } else { vec![own.display().to_string()] };
    assert_eq!((arguments, binary), (given, own));
    // What `ps` and `top` show.
    assert!(String::from_utf8_lossy(&line).contains("look"), "{}", String::from_utf8_lossy(&line));
    assert_eq!(name, "look\n");
}

/// A constructor in Rust, by a crate that many use for it.
struct Submitted(&'static str);

inventory::collect!(Submitted);
inventory::submit!(Submitted("one"));
inventory::submit!(Submitted("two"));

/// How often the constructor below has run, and in which process.
static RUNS: AtomicU32 = AtomicU32::new(0);
static RAN_IN: AtomicU32 = AtomicU32::new(0);
static ARGUMENTS: AtomicU32 = AtomicU32::new(0);

/// As a static of C++ has one.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn(c_int, *const *const c_char, *const *const c_char) = construct;

extern "C" fn construct(count: c_int, arguments: *const *const c_char, environment: *const *const c_char) {
    // SAFETY: neither the pid nor the exit hook has anything to do with Rust's runtime.
    let pid = unsafe {
        libc::atexit(destruct);
        libc::getpid()
    };
    // Where the C library passes them on: with musl they are whatever is in the registers.
    let are_there = cfg!(not(target_env = "musl")) && count > 0 && !arguments.is_null() && !environment.is_null();
    ARGUMENTS.store(u32::from(are_there), Ordering::Relaxed);
    RUNS.fetch_add(1, Ordering::Relaxed);
    RAN_IN.store(pid.unsigned_abs(), Ordering::Relaxed);
}

#[used]
#[unsafe(link_section = ".fini_array")]
static DESTRUCTOR: extern "C" fn() = destruct;

/// Says that it has run, where somebody wants to know.
extern "C" fn destruct() {
    if let Some(file) = env::var_os("PKIT_TEST_DESTRUCTED") {
        use std::io::Write as _;
        let file = fs::OpenOptions::new().append(true).create(true).open(file);
        let _ = file.and_then(|mut file| file.write_all(b"once\n"));
    }
}

#[test]
fn constructors_of_the_program_have_run_once_and_destructors_do() {
    fn look() -> (u32, bool, u32, Vec<String>) {
        let mut submitted: Vec<_> = inventory::iter::<Submitted>.into_iter().map(|it| it.0.to_owned()).collect();
        submitted.sort();
        let is_own = RAN_IN.load(Ordering::Relaxed) == process::id();
        (RUNS.load(Ordering::Relaxed), is_own, ARGUMENTS.load(Ordering::Relaxed), submitted)
    }
    let own = look();
    assert_eq!((own.0, own.1), (1, true));
    for _ in 0..2 {
        let worker = function(look, ()).env("PKIT_TEST_DESTRUCTED", "{dir}/destructed").start().unwrap();
        assert_eq!(worker.join().unwrap(), own);
        assert_eq!(fs::read_to_string(worker.dir().join("destructed")).unwrap(), "once\nonce\n");
    }
}

#[test]
fn it_has_one_thread_and_can_have_more() {
    fn many() -> usize {
        let threads: Vec<_> = (0..20).map(|n| thread::spawn(move || n)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    }
    assert_eq!(function(many, ()).start().unwrap().join().unwrap(), 190);
    // The runtime of Rust names the first thread right before `main`, which a function has not come by.
    let name = || thread::current().name().map(str::to_owned);
    assert_eq!(function(name, ()).start().unwrap().join().unwrap(), None);
}

/// What is random is not what the process that it was forked from has had.
#[test]
fn what_is_random_differs_from_run_to_run() {
    fn random() -> u64 {
        use std::hash::{BuildHasher as _, RandomState};
        RandomState::new().hash_one(0)
    }
    let worker = function(random, ()).start().unwrap();
    let first = worker.join().unwrap();
    assert_ne!(first, worker.call(()).unwrap());
    assert_ne!(first, function(random, ()).start().unwrap().join().unwrap());
}

#[test]
fn nothing_of_the_test_is_in_it() {
    static SEEN: AtomicU32 = AtomicU32::new(0);
    SEEN.store(7, Ordering::Relaxed);
    let look = || SEEN.load(Ordering::Relaxed);
    assert_eq!(function(look, ()).start().unwrap().join().unwrap(), 0, "it is no fork of the test");
    assert!(current_is_refused(), "the test is no function process");
}

fn current_is_refused() -> bool {
    std::panic::catch_unwind(current).is_err()
}

#[test]
fn what_the_test_has_changed_of_itself_is_there_as_in_a_program() {
    victim("functions::limits").with("vain").passes();
}

/// What the victim does.
pub(crate) fn limited(vain: &str) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 500, hard).unwrap();
    setrlimit(Resource::RLIMIT_CORE, 0, 0).unwrap();
    nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o27));
    let mut blocked = nix::sys::signal::SigSet::empty();
    blocked.add(nix::sys::signal::Signal::SIGUSR1);
    blocked.thread_block().unwrap();
    // SAFETY: what is ignored runs no code.
    unsafe { nix::sys::signal::signal(nix::sys::signal::Signal::SIGHUP, nix::sys::signal::SigHandler::SigIgn) }
        .unwrap();
    both!(vain, |spec| spec);
    env::set_current_dir("/").unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 400, hard).unwrap();
    both!(vain, |spec| spec);
}

#[test]
fn all_of_this_holds_where_nothing_is_forked() {
    let victim = victim("functions::whatever_is_asked_for");
    let mut command = with_children(&victim, &["vain"]);
    command.env_remove("UPDATE_EXPECT").env(WITHOUT, "function_fork").args([
        "functions::fresh",
        "functions::kinds",
        "functions::results",
    ]);
    command.args(["--skip", "where_nothing_is_forked", "--skip", "nextest", "--test-threads", "2"]);
    let ended = victim.ended(&mut command);
    assert!(ended.status.success(), "{}", ended.text());
    victim.is_gone(&ended);
}
