//! What the kernel says of a process: whose child it is, and what it holds and uses.
//!
//! Everything is an `Option`: a process may go away between any two questions.

use std::fs;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The part of `/proc/PID/stat` that somebody asks for.
#[derive(Debug, Clone, Copy)]
pub struct Stat {
    /// `R`, `S`, `T`, `Z`, …
    pub state: char,
    /// Its parent.
    pub ppid: u32,
    /// Its process group.
    pub pgid: u32,
    /// Its session.
    pub session: u32,
    /// User and system time of all its threads, in clock ticks.
    pub cpu_ticks: u64,
    /// When it was started, in clock ticks since the boot.
    pub started: u64,
}

/// All pids there are, in no order.
#[must_use]
pub fn pids() -> Vec<u32> {
    let entries = fs::read_dir("/proc").expect("procfs is mounted");
    entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
}

/// The process as it is now, a zombie as well.
#[must_use]
pub fn stat(pid: u32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in parentheses and may itself contain some, so that fields are counted from the last one on.
    let fields: Vec<&str> = text.get(text.rfind(')')? + 1..)?.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let pid_at = |at: usize| number(at).and_then(|value| u32::try_from(value).ok());
    Some(Stat {
        state: fields.first()?.chars().next()?,
        ppid: pid_at(1)?,
        pgid: pid_at(2)?,
        session: pid_at(3)?,
        cpu_ticks: number(11)? + number(12)?,
        started: number(19)?,
    })
}

/// Sends it a signal, as anybody could who knows its id.
///
/// # Errors
///
/// When it is gone.
pub fn signal_process(pid: u32, signal: Signal) -> nix::Result<()> {
    kill(Pid::from_raw(i32::try_from(pid).map_err(|_| Errno::ESRCH)?), signal)
}

/// Whose child it is.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    stat(pid).map(|stat| stat.ppid)
}

/// Its children, zombies left out.
#[must_use]
pub fn children(pid: u32) -> Vec<u32> {
    let is_child = |other: &u32| stat(*other).is_some_and(|stat| stat.ppid == pid && stat.state != 'Z');
    pids().into_iter().filter(is_child).collect()
}

/// Whether it has a child, be it a zombie. The kernel's own list, and not all processes one by one: a child that hops
/// from pid to pid is on it as well.
#[must_use]
pub fn has_child(pid: u32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).is_ok_and(|list| !list.trim().is_empty())
}

/// How many descriptors it has open.
#[must_use]
pub fn fds(pid: u32) -> Option<usize> {
    fs::read_dir(format!("/proc/{pid}/fd")).ok().map(Iterator::count)
}

/// How many threads it has.
#[must_use]
pub fn threads(pid: u32) -> Option<usize> {
    fs::read_dir(format!("/proc/{pid}/task")).ok().map(Iterator::count)
}

/// Its memory in kilobytes, pages that several share counted in parts.
#[must_use]
pub fn pss_kb(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// The processor time it has used, in clock ticks (a hundred a second).
#[must_use]
pub fn cpu_ticks(pid: u32) -> Option<u64> {
    stat(pid).map(|stat| stat.cpu_ticks)
}
