//! A launcher: refuses what a container refuses by default, and then becomes its arguments.
//!
//! `as_docker [--old] PROGRAM [ARGUMENT…]`: installs a seccomp filter with the refusals of Docker's default profile for a process
//! without capabilities, whoever runs it, and executes the program. What the profile refuses is EPERM, `clone3` is
//! ENOSYS, so that libraries turn to `clone`. `--old` is Docker before 20.10, which knows no pidfds.

use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{self, Command};

use pkit_test_tests::seccomp::{self, Age};

fn main() {
    let mut words = std::env::args_os().skip(1).peekable();
    let age = words.next_if(|word| word == "--old").map_or(Age::New, |_| Age::Old);
    let Some(program) = words.next() else {
        eprintln!("usage: as_docker [--old] PROGRAM [ARGUMENT...]");
        process::exit(64);
    };
    if let Err(error) = seccomp::refuse_as_docker(age) {
        eprintln!("as_docker: the filter cannot be installed: {error}");
        process::exit(70);
    }
    let program = PathBuf::from(program);
    let error = Command::new(&program).args(words).exec();
    eprintln!("as_docker: {}: {error}", program.display());
    process::exit(71);
}
