//! The last report: what services wrote, for a test that died without a word.
//!
//! A test that is killed by a timeout or a signal prints nothing. The guardian has kept a duplicate of its stderr for
//! this alone. It writes before it stops anything and closes the duplicate at once, for a test runner takes whoever
//! still holds it for a leak.

use std::fs::File;
use std::io::Write;
use std::os::fd::AsFd;
use std::path::PathBuf;

use crate::limits::{LAST_REPORT_MS, TAIL_BYTES, TAIL_LINES};
use crate::output::LogFiles;
use crate::output::tail::{Tail, tail};
use crate::sys::{child::own_pid, fd};

/// As much is written at a time as a pipe that is ready takes without waiting.
const CHUNK_BYTES: usize = 4096;

/// Where to find what one service wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) log: PathBuf,
}

/// Writes the ends of all logs to the test's stderr, and closes it.
pub(crate) fn report<'a>(mut stderr: File, accounts: impl Iterator<Item = &'a Account>, is_kept: bool) {
    let mut text: String = accounts.map(section).collect();
    if is_kept {
        text.push_str(&kept(own_pid()));
    }
    for chunk in text.as_bytes().chunks(CHUNK_BYTES) {
        // Whoever should read this may be gone or stopped; services are not to wait for it.
        if !fd::is_writable_within(stderr.as_fd(), LAST_REPORT_MS) || stderr.write_all(chunk).is_err() {
            return;
        }
    }
}

/// How to end what PKIT_KEEP left up.
pub(crate) fn kept(guardian: i32) -> String {
    format!("--- kept, since PKIT_KEEP says so: `kill {guardian}` ends all of them\n")
}

fn section(account: &Account) -> String {
    let tail = tail(&account.log, TAIL_LINES, TAIL_BYTES).unwrap_or_default();
    render(&account.name, &tail, &LogFiles::at(&account.log).data(), "the test died; ")
}

/// The end of a log, for people.
pub(crate) fn render(name: &str, tail: &Tail, path: &std::path::Path, why: &str) -> String {
    if tail.lines.is_empty() {
        return format!("--- `{name}`: {why}it wrote nothing\n");
    }
    let which = if tail.is_cut { format!("its last {} lines", tail.lines.len()) } else { "all it wrote".to_owned() };
    let lines: String = tail.lines.iter().map(|line| format!("{line}\n")).collect();
    format!("--- `{name}`: {why}{which} ({})\n{lines}", path.display())
}
