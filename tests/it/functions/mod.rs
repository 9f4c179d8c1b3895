//! Functions that run in processes of their own: what they are given, what they hand back, and what they cannot do.
//!
//! A function that starts something writes it down (`note`), and the test sees that it is gone (`assert_gone`): what a
//! function leaves executes this very binary, so that no private copy of a program tells it from others.

mod claims;
pub(crate) mod exchange;
pub(crate) mod fresh;
mod hostile;
pub(crate) mod kinds;
mod nesting;
mod patience;
mod pool;
pub(crate) mod results;
mod reuse;
mod soak;
mod stack;
mod uses;
mod workers;

use std::env;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use pkit_test::{Process, current};
use pkit_test_tests::private::executable;
use pkit_test_tests::process::stat;

use crate::child::wait_until;
use crate::nested::Victim;
use crate::race::{self, RACE_SECONDS};

/// In the directory of the process.
const NOTES: &str = "notes";

/// In a function: writes down a process that is to be gone with it.
pub(crate) fn note(pid: u32) {
    let started = stat(pid).expect("it runs").started;
    let file = OpenOptions::new().append(true).create(true).open(current().dir().join(NOTES));
    // In one write, as several processes may do it.
    file.unwrap().write_all(format!("{pid} {started}\n").as_bytes()).unwrap();
}

/// In a function: writes this process down.
pub(crate) fn note_self() {
    note(std::process::id());
}

/// In the test: those that were written down so far, each with the time at which it was started, since ids come again.
pub(crate) fn noted(directory: &Path) -> Vec<(u32, u64)> {
    let text = fs::read_to_string(directory.join(NOTES)).unwrap_or_default();
    // The last line may be on its way.
    let lines = text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.split_once(' '));
    lines.map(|(pid, started)| (pid.parse().unwrap(), started.parse().unwrap())).collect()
}

/// In the test: waits until so many are written down.
#[track_caller]
pub(crate) fn wait_noted(process: &Process, count: usize) {
    wait_until(|| noted(process.dir()).len() >= count);
}

/// In the test: none of these is there, not even as a zombie.
#[track_caller]
pub(crate) fn assert_gone(noted: &[(u32, u64)]) {
    let lives = |(pid, started): &&(u32, u64)| stat(*pid).is_some_and(|stat| stat.started == *started);
    let left: Vec<_> = noted.iter().filter(lives).collect();
    assert!(left.is_empty(), "left of {noted:?}: {left:?}");
}

/// Whether it runs, or is a zombie.
pub(crate) fn lives(pid: u32) -> bool {
    stat(pid).is_some()
}

/// In the test: so many were written down, and none of them is there.
#[track_caller]
pub(crate) fn assert_all_gone(process: &Process, count: usize) {
    let noted = noted(process.dir());
    assert_eq!(noted.len(), count, "{noted:?}");
    assert_gone(&noted);
}

/// A copy of this binary that is to run tests that start such children. They are not beside it.
pub(crate) fn with_children(victim: &Victim, children: &[&str]) -> Command {
    let mut command = victim.command();
    for child in children {
        command.env(format!("NEXTEST_BIN_EXE_{child}"), executable(child));
    }
    command
}

/// How often a race is run: so often, or for as long as the setting says.
pub(crate) fn rounds(default: usize) -> impl Iterator<Item = usize> {
    let end = env::var_os(RACE_SECONDS).map(|_| race::end());
    (0..).take_while(move |round| end.map_or(*round < default, |end| Instant::now() < end))
}
