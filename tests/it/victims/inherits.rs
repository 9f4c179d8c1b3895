//! A test that has a lot to inherit, and a service that gets none of it.

use std::env;
use std::fs::File;
use std::os::fd::AsFd as _;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, SigSet, Signal, signal};
use pkit_test::simple;

use super::chosen::{command, is_chosen};
use crate::dump::dump;

/// A descriptor that is not closed at exec.
fn inheritable() -> File {
    let file = File::open("/dev/null").unwrap();
    fcntl(file.as_fd(), FcntlArg::F_SETFD(FdFlag::empty())).unwrap();
    file
}

fn block(one: Signal) {
    let mut set = SigSet::empty();
    set.add(one);
    set.thread_block().unwrap();
}

#[test]
fn descriptors() {
    if !is_chosen() {
        return;
    }
    let _before = inheritable();
    let _first = simple(command("sleeper", "")).start().unwrap();
    let _after = inheritable();
    for _ in 0..3 {
        let fds = dump(simple(command("env_dump", ""))).all("fd");
        let numbers: Vec<&str> = fds.iter().filter_map(|fd| fd.split(' ').next()).collect();
        assert_eq!(numbers, ["0", "1", "2"], "{fds:?}");
        assert!(fds.iter().all(|fd| fd.contains("-> pipe:")), "{fds:?}");
    }
}

#[test]
fn signals() {
    if !is_chosen() {
        return;
    }
    block(Signal::SIGUSR1);
    for one in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGCHLD] {
        // SAFETY: what is ignored runs no code.
        unsafe { signal(one, SigHandler::SigIgn) }.unwrap();
    }
    let first = simple("grep -E ^Sig(Blk|Ign) /proc/self/status").start().unwrap();
    block(Signal::SIGUSR2);
    let second = simple("grep -E ^Sig(Blk|Ign) /proc/self/status").start().unwrap();
    for process in [first, second] {
        process.wait().unwrap();
        for line in process.stdout().lines() {
            let (name, set) = line.split_once(":\t").unwrap();
            let set = u64::from_str_radix(set, 16).unwrap();
            // The two that the C library keeps for itself; whoever is started by `posix_spawn` finds them ignored.
            assert_eq!(set & !(0b11 << 31), 0, "{name}: {set:x}");
        }
    }
}

#[test]
fn limits() {
    if !is_chosen() {
        return;
    }
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 512, hard).unwrap();
    assert_eq!(dump(simple(command("env_dump", ""))).one("nofile"), format!("512 {hard}"));
}

#[test]
fn a_directory_that_changes() {
    if !is_chosen() {
        return;
    }
    for directory in ["/", "/usr"] {
        env::set_current_dir(directory).unwrap();
        assert_eq!(dump(simple(command("env_dump", ""))).one("cwd"), directory);
    }
    let relative = simple(command("env_dump", "")).cwd("bin/..");
    assert_eq!(dump(relative).one("cwd"), "/usr");
}
