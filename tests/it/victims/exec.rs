//! Tests that die while a command is asked whether their process is ready.

use std::path::PathBuf;
use std::{env, process, thread};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test::ready::Exec;
use pkit_test::{Spec, sh};
use pkit_test_tests::process::children;

use super::chosen::{command, is_chosen};
use crate::child::{HANG, wait_until};

/// The process, and a check that says in a file that it has begun, and goes on for ever in two processes.
fn spec() -> (Spec, PathBuf) {
    let file = PathBuf::from(env::var("FILE").unwrap());
    let deaf = command("deaf", "");
    let check = sh(format!("{deaf} & touch '{}'; exec {deaf}", file.display()));
    (Spec::new(command("sleeper", "")).ready(Exec::new(check)).start_timeout(HANG * 10), file)
}

#[test]
fn is_killed_in_a_try() {
    if is_chosen() {
        let (spec, file) = spec();
        thread::spawn(move || {
            wait_until(|| file.exists());
            kill(Pid::this(), Signal::SIGKILL).unwrap();
        });
        panic!("it is killed before {:?}", spec.start());
    }
}

#[test]
fn loses_its_guardian_in_a_try() {
    if is_chosen() {
        let (spec, file) = spec();
        let error = thread::scope(|scope| {
            let start = scope.spawn(|| spec.start().map(drop));
            wait_until(|| file.exists());
            let guardians = children(process::id());
            assert_eq!(guardians.len(), 1);
            kill(Pid::from_raw(guardians[0].try_into().unwrap()), Signal::SIGKILL).unwrap();
            start.join().unwrap().unwrap_err()
        });
        assert!(error.is_guardian_lost(), "{error}");
    }
}

#[test]
fn exits_in_a_try() {
    if is_chosen() {
        let (spec, file) = spec();
        thread::spawn(move || spec.start().map(drop));
        wait_until(|| file.exists());
        process::exit(0);
    }
}
