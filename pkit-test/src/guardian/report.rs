//! The last report: what services wrote, for a test that died without a word.
//!
//! A test that is killed by a timeout or a signal prints nothing. The guardian has kept a duplicate of its stderr for
//! this alone. It writes before it stops anything and closes the duplicate at once, for a test runner takes whoever
//! still holds it for a leak.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use super::janitor::now_seconds;
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
pub(crate) fn report<'a>(stderr: File, accounts: impl Iterator<Item = &'a Account>, kept_for: Option<Duration>) {
    let mut text: String = accounts.map(section).collect();
    if let Some(time) = kept_for {
        text.push_str(&kept(own_pid(), time));
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

/// How to end what PKIT_KEEP left up, and when it ends by itself.
pub(crate) fn kept(guardian: i32, time: Duration) -> String {
    let until = moment(now_seconds().saturating_add(time.as_secs()));
    format!("--- kept until {until}, since PKIT_KEEP says so: `kill {guardian}` ends all of them before\n")
}

/// A moment in seconds since 1970, for people; of a time zone nobody knows here. The calendar repeats every 400 years, and a
/// year that begins in March has its leap day last.
fn moment(seconds: u64) -> String {
    let (days, time) = (seconds / DAY, seconds % DAY);
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (month, later) = if month < 10 { (month + 3, 0) } else { (month - 9, 1) };
    format!("{}-{month:02}-{day:02} {:02}:{:02} UTC", era * 400 + year + later, time / 3600, time / 60 % 60)
}

const DAY: u64 = 24 * 3600;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_what_the_calendar_says() {
        // As `date -u -d @…` has them.
        assert_eq!(moment(0), "1970-01-01 00:00 UTC");
        assert_eq!(moment(951_782_399), "2000-02-28 23:59 UTC");
        assert_eq!(moment(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(moment(1_767_225_599), "2025-12-31 23:59 UTC");
        assert_eq!(moment(4_107_542_400), "2100-03-01 00:00 UTC");
    }
}
