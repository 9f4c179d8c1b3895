//! Tells all that it was given: whatever leaks from a test into a service is to be seen here.
//!
//! `env_dump [--stay] [--] [ANYTHING…]`: prints one `key: value` a line and exits 0, or pauses with `--stay`. Keys:
//! `cwd`, `arg` (each), `env` (each, `NAME=VALUE`), `fd` (each, `N -> TARGET`), `SigBlk`, `SigIgn`, `SigCgt`, `pid`,
//! `ppid`, `pgid`, `sid`, `uid`, `euid`, `gid`, `egid`, `groups`, `nofile` (soft and hard limit), `umask`, `end`.

use std::fs;

use nix::sys::resource::{Resource, getrlimit};
use nix::unistd;
use pkit_test_tests::child::{fail, pause, say};

fn main() {
    // No `Args`: this child takes whatever comes, and shows it.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    place(&arguments);
    descriptors();
    identity();
    status(&["SigBlk", "SigIgn", "SigCgt", "Umask", "Groups"]);
    show("end", "of env_dump");
    if arguments.first().is_some_and(|first| first == "--stay") {
        pause();
    }
}

fn show(key: &str, value: impl std::fmt::Display) {
    say(format_args!("{key}: {value}"));
}

fn place(arguments: &[String]) {
    let cwd = std::env::current_dir().unwrap_or_else(|error| fail(format_args!("cwd: {error}")));
    show("cwd", cwd.display());
    for argument in arguments {
        show("arg", argument);
    }
    for (name, value) in std::env::vars_os() {
        show("env", format_args!("{}={}", name.to_string_lossy(), value.to_string_lossy()));
    }
}

/// All but the one that reading the directory itself takes.
fn descriptors() {
    let entries = fs::read_dir("/proc/self/fd").unwrap_or_else(|error| fail(format_args!("fds: {error}")));
    for entry in entries.flatten() {
        if let Ok(target) = fs::read_link(entry.path()) {
            if !target.ends_with(format!("{}/fd", std::process::id())) {
                show("fd", format_args!("{} -> {}", entry.file_name().to_string_lossy(), target.display()));
            }
        }
    }
}

fn identity() {
    show("pid", unistd::getpid());
    show("ppid", unistd::getppid());
    show("pgid", unistd::getpgrp());
    show("sid", unistd::getsid(None).map_or(-1, unistd::Pid::as_raw));
    show("uid", unistd::getuid());
    show("euid", unistd::geteuid());
    show("gid", unistd::getgid());
    show("egid", unistd::getegid());
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) {
        show("nofile", format_args!("{soft} {hard}"));
    }
}

fn status(wanted: &[&str]) {
    let text = fs::read_to_string("/proc/self/status").unwrap_or_else(|error| fail(format_args!("status: {error}")));
    for (key, value) in text.lines().filter_map(|line| line.split_once(':')) {
        if wanted.contains(&key) {
            show(key, value.trim());
        }
    }
}
