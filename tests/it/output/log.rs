//! The files that output is kept in.

use std::ffi::OsStr;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use pkit_test::{Process, sh, simple};

use crate::child::HANG;

fn wrote_hello() -> Process {
    let process = simple(sh("echo hello; echo trouble >&2; exec sleep 60")).start().unwrap();
    process.wait_for_output("hello", HANG).unwrap();
    process.wait_for_output("trouble", HANG).unwrap();
    process
}

#[test]
fn the_log_is_for_people() {
    let process = wrote_hello();
    assert_eq!(fs::read_to_string(process.log_path()).unwrap(), process.output());
    assert!(process.output().contains("hello\n") && process.output().contains("trouble\n"));
}

#[test]
fn the_log_of_who_wrote_nothing_is_empty() {
    let process = simple("sleep 60").start().unwrap();
    assert_eq!((process.output(), process.stdout()), (String::new(), String::new()));
    assert_eq!(fs::read_to_string(process.log_path()).unwrap(), "");
}

#[test]
fn the_logs_of_all_runs_are_gone_with_the_handle() {
    let process = wrote_hello();
    let first = process.log_path();
    process.restart(pkit_test::Restart::Forced).unwrap();
    let second = process.log_path();
    assert!(first != second && first.exists(), "a run that is over can still be looked at");
    drop(process);
    assert_eq!((files_of(&first), files_of(&second)), (0, 0));
}

/// How many files there are that belong to the run of this log.
fn files_of(log: &Path) -> usize {
    let stem = log.file_stem().and_then(OsStr::to_str).unwrap();
    let files = fs::read_dir(log.parent().unwrap()).unwrap();
    files.flatten().filter(|file| file.file_name().to_str().unwrap().starts_with(stem)).count()
}

#[test]
fn the_log_is_kept_when_the_test_fails() {
    let path = path_after_panic();
    assert!(fs::read_to_string(&path).unwrap().contains("hello\n"));
    fs::remove_file(&path).unwrap();
    fs::remove_file(path.with_extension("idx")).unwrap();
    assert_eq!(files_of(&path), 0);
}

fn path_after_panic() -> PathBuf {
    let mut path = PathBuf::new();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let process = wrote_hello();
        path = process.log_path();
        panic!("the test fails");
    }));
    assert!(panicked.is_err());
    path
}
