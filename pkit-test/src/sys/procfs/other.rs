//! Other Unix systems: what `sysctl(3)` and `libproc` say. Whose a socket is they are not asked.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use super::{Kin, walk};

#[cfg(target_os = "freebsd")]
mod freebsd;
#[cfg(target_os = "freebsd")]
use freebsd as system;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
use macos as system;

#[cfg(not(any(target_os = "freebsd", target_os = "macos")))]
mod unknown;
#[cfg(not(any(target_os = "freebsd", target_os = "macos")))]
use unknown as system;

#[cfg(any(target_os = "freebsd", target_os = "macos"))]
mod sysctl;

/// What is known of a process.
#[derive(Debug, Clone)]
struct Status {
    parent: i32,
    is_alive: bool,
    /// In microseconds of the clock.
    birth: u64,
    name: String,
}

/// The children of a process that has one thread.
#[expect(clippy::unnecessary_wraps, reason = "on Linux it can fail")]
pub(crate) fn children_of_single(pid: i32) -> io::Result<Vec<i32>> {
    Ok(children_by_parent().remove(&pid).unwrap_or_default())
}

/// Children are found by asking all processes for their parents.
pub(crate) fn knows_children() -> bool {
    false
}

/// Everything below a process, parents first. Zombies are among them.
pub(crate) fn descendants(pid: i32) -> Vec<i32> {
    let mut by_parent = children_by_parent();
    walk::below(pid, |pid| by_parent.remove(&pid).unwrap_or_default())
}

/// Whether a process is `root` or below it.
pub(crate) fn is_below(pid: i32, root: i32) -> bool {
    walk::is_below(pid, root, parent)
}

pub(crate) fn socket_inodes(_pid: i32) -> io::Result<Vec<u64>> {
    Err(unsupported())
}

pub(crate) fn socket_inodes_of_threads(_pid: i32) -> Vec<u64> {
    Vec::new()
}

pub(crate) fn find_socket_owner(_inode: u64, _skip: &[i32]) -> Option<(i32, String)> {
    None
}

pub(crate) fn network(_pid: i32) -> Option<u64> {
    None
}

pub(crate) fn own_network() -> Option<u64> {
    None
}

pub(crate) fn abstract_socket(_name: &str) -> Option<u64> {
    None
}

pub(crate) fn abstract_sockets(_beginning: &str) -> Vec<(String, u64)> {
    Vec::new()
}

/// The command line for people: one line, not too long. A process without one has its name in brackets.
pub(crate) fn command_line(pid: i32) -> Option<String> {
    let bytes = arguments(pid).unwrap_or_default();
    let words = bytes.split(|byte| *byte == 0).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ");
    if words.trim().is_empty() { Some(format!("[{}]", name(pid)?)) } else { Some(walk::for_people(&words)) }
}

pub(crate) fn file_mask(_pid: i32) -> Option<u32> {
    None
}

pub(crate) fn pid_of(_pidfd: &OwnedFd) -> Option<i32> {
    None
}

/// The name of the program that a process executes.
pub(crate) fn name(pid: i32) -> Option<String> {
    system::status(pid).map(|status| status.name)
}

/// The parent of a process.
pub(crate) fn parent(pid: i32) -> Option<i32> {
    system::status(pid).map(|status| status.parent)
}

/// Whether there is such a process, and it has not ended.
pub(crate) fn is_alive(pid: i32) -> bool {
    system::status(pid).is_some_and(|status| status.is_alive)
}

/// The same, and it has not begun to end, as far as that is told.
pub(crate) fn lives_on(pid: i32) -> bool {
    is_alive(pid)
}

/// When a process began. With its id this means one process and no later one.
pub(crate) fn birth(pid: i32) -> Option<u64> {
    system::status(pid).filter(|status| status.is_alive).map(|status| status.birth)
}

/// Who a process is, by one look. Not of one that has ended.
pub(crate) fn kin(pid: i32) -> Option<Kin> {
    let status = system::status(pid).filter(|status| status.is_alive)?;
    let session = super::session(pid)?;
    Some(Kin { pid, parent: status.parent, session, birth: status.birth, name: status.name })
}

/// The file that a process executes is not asked for here: its name is that of the program.
pub(crate) fn executable(_pid: i32) -> Option<PathBuf> {
    None
}

/// What a process was given when it was executed, each variable with a zero behind it. Unknown for those that we may not
/// look at.
pub(crate) fn environment(pid: i32) -> Option<Vec<u8>> {
    system::environment(pid)
}

/// The value of a variable that a process was given. Unknown for those that we may not look at.
pub(crate) fn given(pid: i32, variable: &str) -> Option<Vec<u8>> {
    walk::value_of(&environment(pid)?, variable)
}

/// The arguments of a process, each with a zero behind it.
pub(crate) fn arguments(pid: i32) -> Option<Vec<u8>> {
    system::arguments(pid)
}

/// All processes that we see.
pub(crate) fn processes() -> impl Iterator<Item = i32> {
    system::processes().into_iter()
}

pub(crate) fn pipe_inodes(_pid: i32) -> Vec<u64> {
    Vec::new()
}

pub(crate) fn boot_id() -> Option<String> {
    None
}

pub(crate) fn pid_namespace() -> Option<u64> {
    None
}

#[cfg(test)]
pub(crate) fn forbid_looking() -> io::Result<()> {
    Err(unsupported())
}

fn children_by_parent() -> HashMap<i32, Vec<i32>> {
    walk::by_parent(processes(), parent)
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "descriptors of others cannot be looked at on this system")
}
