//! Tests that share what they have with others of a run.

use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::stat::{Mode, umask};
use pkit_test::{Process, Spec, output, sh, simple, with_processes};

use super::chosen::{command, is_chosen};
use super::held::broker;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn sleeper() -> Spec {
    output(command("sleeper", ""), "sleeper")
}

#[test]
fn has_it() {
    if is_chosen() {
        let shared = sleeper().shared().start().unwrap();
        // Where one test is run at a time the harness has begun a line.
        println!("\npid {}", shared.pid().unwrap());
    }
}

/// Whether it gets it is its own business.
#[test]
fn makes_files_for_nobody() {
    if is_chosen() {
        umask(Mode::all());
        let _ = simple("sleep 60").shared().start();
        umask(Mode::S_IWGRP | Mode::S_IWOTH);
    }
}

/// The server takes its time to end.
#[test]
fn goes_on_without_its_broker() {
    if is_chosen() {
        let slow = || output(command("polite", "500"), "ready").shared();
        let first = slow().start().unwrap();
        let pid = first.pid().unwrap();
        kill(broker(), Signal::SIGKILL).unwrap();
        let next = slow().start().unwrap();
        println!("\nfirst {}", Path::new("/proc").join(pid.to_string()).exists());
        println!("next {}", next.is_alive());
    }
}

/// At once, before anybody can have heard of it.
#[with_processes(db = if is_chosen() { sleeper().shared() } else { simple("sleep 60").shared_as("never") })]
#[test]
fn fails_as_its_broker_is_killed(db: Process) {
    if is_chosen() {
        kill(broker(), Signal::SIGKILL).unwrap();
        panic!("no luck with {:?}", db.name());
    }
}

#[test]
fn tells_its_limits() {
    if is_chosen() {
        let limit = || output(sh("ulimit -Sn; exec sleep 60"), "^[0-9]+$");
        println!("\nown {}", limit().start().unwrap().stdout().trim_end());
        println!("shared {}", limit().shared().start().unwrap().stdout().trim_end());
    }
}

#[test]
fn starts_slowly() {
    if is_chosen() {
        let fifo = std::env::var("PKIT_TEST_FIFO").unwrap();
        println!("\nstarts");
        let script = sh("echo x >>\"$1.tries\"; cat \"$1\"; echo up; exec sleep 60").arg(fifo);
        output(script, "up").shared().start().unwrap();
    }
}

#[test]
fn tells_its_environment() {
    if is_chosen() {
        let dump = simple(command("env_dump", "")).env("OF_THE_SPEC", "1").may_exit().shared().start().unwrap();
        dump.wait().unwrap();
        println!();
        dump.stdout()
            .lines()
            .filter_map(|line| line.strip_prefix("env: ")?.split_once('='))
            .for_each(|(name, _)| println!("variable {name}"));
    }
}

#[test]
fn waits_for_another() {
    if is_chosen() {
        // Times are short here; they make no difference to what it is.
        let alone = sleeper().start_timeout(DAY).shared().exclusive().start().unwrap();
        let other = thread::Builder::new().name("another::test".to_owned());
        let other = other.spawn(|| sleeper().shared().start().err()).unwrap();
        let error = other.join().unwrap().expect("it is had by another one");
        println!();
        error.to_string().lines().for_each(|line| println!("error {line}"));
        drop(alone);
    }
}
