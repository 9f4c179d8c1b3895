//! What the kernel says about processes.

use std::fs;
use std::io;

/// A process below one of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) pid: i32,
    pub(crate) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Guardian,
    Shim,
    Service,
}

/// Everything below a process.
pub(crate) fn family(root: i32) -> Vec<Member> {
    let mut found: Vec<Member> = Vec::new();
    let mut next = vec![root];
    while let Some(pid) = next.pop() {
        let children = children(pid);
        found.extend(children.iter().map(|pid| Member { pid: *pid, kind: kind(*pid) }));
        next.extend(children);
    }
    found
}

/// Everybody who has this among their arguments.
pub(crate) fn with_argument(argument: &str) -> Vec<i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    pids.filter(|pid| has_argument(*pid, argument)).collect()
}

/// One that has ended meanwhile, or is a zombie, has no arguments.
fn has_argument(pid: i32, argument: &str) -> bool {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    line.split(|byte| *byte == 0).any(|word| word == argument.as_bytes())
}

/// The memory of a process in MB, where a page that several share counts for each in part.
pub(crate) fn pss_mb(pid: i32) -> io::Result<f64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"));
    let kb = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<f64>().ok());
    kb.map(|kb| kb / 1024.0).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "smaps_rollup has no Pss"))
}

/// What a process has done so far.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    /// Of 10 ms, on most systems.
    pub(crate) cpu_ticks: u64,
    /// How often it got a CPU.
    pub(crate) turns: u64,
}

pub(crate) fn work(pid: i32) -> io::Result<Work> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name may have blanks in it, and ends at the last bracket.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |number: usize| fields.get(number - 3).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let switches = status.lines().filter(|line| line.contains("ctxt_switches"));
    let turns = switches.filter_map(|line| line.split_whitespace().last()?.parse::<u64>().ok()).sum();
    Ok(Work { cpu_ticks: field(14) + field(15), turns })
}

fn children(pid: i32) -> Vec<i32> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    // A thread that has ended meanwhile has no children.
    let lists = threads.map(|thread| fs::read_to_string(thread.path().join("children")).unwrap_or_default());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()).collect()
}

fn kind(pid: i32) -> Kind {
    match fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim() {
        "pkit-guardian" => Kind::Guardian,
        "pkit-shim" => Kind::Shim,
        _ => Kind::Service,
    }
}
