//! What a process finds when it starts, in words that can be compared with those of another process.
//!
//! What differs from one process to the next is said in relation to itself: a group is its own, or a number.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process;

use nix::sys::prctl;
use nix::unistd;

use crate::process::stat;

/// Lines of `/proc/self/status` that say something of how it was started, and not of what it has done since.
const STATUS: &[&str] = &[
    "Umask",
    "Uid",
    "Gid",
    "Groups",
    "FDSize",
    "Threads",
    "SigPnd",
    "ShdPnd",
    "SigBlk",
    "SigIgn",
    "SigCgt",
    "CapInh",
    "CapPrm",
    "CapEff",
    "CapBnd",
    "CapAmb",
    "NoNewPrivs",
    "Seccomp",
    "Cpus_allowed",
    "Mems_allowed",
    "TracerPid",
    "THP_enabled",
];

/// Files of `/proc/self` that are the same for all that are started in the same way.
const FILES: &[&str] = &["oom_score_adj", "personality", "coredump_filter", "timerslack_ns", "sessionid", "loginuid"];

/// Links of `/proc/self`.
const LINKS: &[&str] =
    &["cwd", "root", "ns/cgroup", "ns/ipc", "ns/mnt", "ns/net", "ns/pid", "ns/pid_for_children", "ns/user", "ns/uts"];

/// What this process finds.
///
/// # Panics
///
/// Where procfs is missing.
#[must_use]
pub fn portrait() -> BTreeMap<String, String> {
    // First of all, since whatever reads something has a descriptor meanwhile.
    let mut all = descriptors();
    all.extend(status());
    all.extend(limits());
    all.extend(std::env::vars_os().map(|(name, value)| {
        (
            format!("env {}", name.to_string_lossy()),
            value.to_string_lossy().lines().next().unwrap_or_default().to_owned(),
        )
    }));
    let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_else(|error| error.to_string());
    all.extend(FILES.iter().map(|name| ((*name).to_owned(), read(name).trim().to_owned())));
    let link = |name: &str| fs::read_link(format!("/proc/self/{name}")).map(|path| path.display().to_string());
    all.extend(LINKS.iter().map(|name| ((*name).to_owned(), link(name).unwrap_or_else(|error| error.to_string()))));
    all.extend(relations().into_iter().map(|(key, value)| (key.to_owned(), value)));
    all
}

/// Where each descriptor leads, and how it was opened.
fn descriptors() -> BTreeMap<String, String> {
    let entries = fs::read_dir("/proc/self/fd").expect("procfs is mounted");
    let own = format!("/proc/{}/fd", process::id());
    let described = entries.flatten().filter_map(|entry| {
        let target = fs::read_link(entry.path()).ok()?.display().to_string();
        let target = if target.starts_with("pipe:[") { "a pipe".to_owned() } else { target };
        let number = entry.file_name().to_string_lossy().into_owned();
        let may = fs::symlink_metadata(entry.path()).ok()?.permissions().mode() & 0o700;
        let flags = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).unwrap_or_default();
        let flags = flags.lines().find_map(|line| line.strip_prefix("flags:")).unwrap_or_default().trim().to_owned();
        (target != own).then(|| (format!("fd {number}"), format!("{target} {may:o} {flags}")))
    });
    described.collect()
}

fn status() -> BTreeMap<String, String> {
    let text = fs::read_to_string("/proc/self/status").expect("procfs is mounted");
    let lines = text.lines().filter_map(|line| line.split_once(':')).filter(|(key, _)| STATUS.contains(key));
    lines.map(|(key, value)| (key.to_owned(), value.split_whitespace().collect::<Vec<_>>().join(" "))).collect()
}

fn limits() -> BTreeMap<String, String> {
    let text = fs::read_to_string("/proc/self/limits").expect("procfs is mounted");
    let lines = text.lines().skip(1).filter(|line| line.len() > 26);
    lines
        .map(|line| (line[..26].trim().to_owned(), line[26..].split_whitespace().collect::<Vec<_>>().join(" ")))
        .collect()
}

fn relations() -> [(&'static str, String); 10] {
    let pid = process::id();
    let stat = stat(pid).expect("procfs is mounted");
    let of = |other: u32| if other == pid { "its own".to_owned() } else { other.to_string() };
    let parent = fs::read_to_string(format!("/proc/{}/comm", stat.ppid)).unwrap_or_default();
    let fields = fs::read_to_string("/proc/self/stat").expect("procfs is mounted");
    let fields: Vec<&str> = fields.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    [
        ("group", of(stat.pgid)),
        ("session", of(stat.session)),
        ("child of", parent.trim().to_owned()),
        ("terminal", fields[4].to_owned()),
        ("nice", fields[16].to_owned()),
        ("policy", fields[38].to_owned()),
        ("signal of the parent's death", format!("{:?}", prctl::get_pdeathsig())),
        ("subreaper", format!("{:?}", prctl::get_child_subreaper())),
        ("dumpable", format!("{:?}", prctl::get_dumpable())),
        ("user", format!("{} {} {} {}", unistd::getuid(), unistd::geteuid(), unistd::getgid(), unistd::getegid())),
    ]
}
