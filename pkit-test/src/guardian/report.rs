//! The last report: what services wrote, for a test that died without a word.
//!
//! A test that is killed by a timeout or a signal prints nothing. The guardian has kept a duplicate of its stderr for
//! this alone. It writes before it stops anything and closes the duplicate at once, for a test runner takes whoever
//! still holds it for a leak.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::Instant;

use crate::limits::{LAST_REPORT, TAIL_BYTES, TAIL_LINES};
use crate::output::LogFiles;
use crate::output::tail::{Tail, tail};
use crate::sys::child::{self, Side, own_pid};
use crate::sys::wait;

/// Where to find what one service wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) log: PathBuf,
}

/// Writes the ends of all logs to the test's stderr, and closes it.
pub(crate) fn report<'a>(stderr: File, accounts: impl Iterator<Item = &'a Account>, is_kept: bool) {
    let mut text: String = accounts.map(section).collect();
    if is_kept {
        text.push_str(&kept(own_pid()));
    }
    write_in_time(stderr, text.as_bytes());
}

/// Writes by a process of its own, which is killed when nobody reads: a pipe that is full and a terminal that is stopped
/// hold whoever writes to them for as long as they like, and services are not to wait for that.
fn write_in_time(mut stderr: File, text: &[u8]) {
    let Ok(Side::Parent { child }) = child::fork().inspect(|side| {
        if matches!(side, Side::Child) {
            // Nobody is left who could be told that this failed.
            let _ = stderr.write_all(text);
            child::exit_now(0)
        }
    }) else {
        return;
    };
    drop(stderr);
    let deadline = Instant::now() + LAST_REPORT;
    while !child::has_ended(child) {
        if Instant::now() >= deadline {
            child::kill_child(child);
            return child::wait_for(child);
        }
        // Woken by its end; an error here only makes the loop turn faster until the deadline.
        let _ = wait::wait(&[], Some(deadline));
    }
}

/// How to end what PKIT_KEEP left up.
pub(crate) fn kept(guardian: i32) -> String {
    format!("--- kept, since PKIT_KEEP says so: `kill {guardian}` ends all of them\n")
}

/// What there is to know of one process, for people.
pub(crate) fn facts(title: &str, facts: &[(&str, String)]) -> String {
    const LABEL_WIDTH: usize = 8;
    let lines = facts.iter().map(|(label, text)| format!("  {:<LABEL_WIDTH$}{text}\n", format!("{label}:")));
    format!("--- {title}\n{}", lines.collect::<String>())
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
