//! Other Unix systems have no such `/proc`: what can be an error is one, and the rest is not known.

use std::io;

pub(crate) fn children_of_single(_pid: i32) -> io::Result<Vec<i32>> {
    Err(unsupported())
}

pub(crate) fn knows_children() -> bool {
    false
}

pub(crate) fn descendants(_pid: i32) -> Vec<i32> {
    Vec::new()
}

pub(crate) fn is_below(_pid: i32, _root: i32) -> bool {
    false
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

pub(crate) fn command_line(_pid: i32) -> Option<String> {
    None
}

pub(crate) fn name(_pid: i32) -> Option<String> {
    None
}

pub(crate) fn parent(_pid: i32) -> Option<i32> {
    None
}

pub(crate) fn pipe_inodes(_pid: i32) -> Vec<u64> {
    Vec::new()
}

pub(crate) fn session(_pid: i32) -> Option<i32> {
    None
}

pub(crate) fn boot_id() -> Option<String> {
    None
}

pub(crate) fn pid_namespace() -> Option<u64> {
    None
}

pub(crate) fn processes() -> impl Iterator<Item = i32> {
    std::iter::empty()
}

#[cfg(test)]
pub(crate) fn forbid_looking() -> io::Result<()> {
    Err(unsupported())
}

fn unsupported() -> io::Error {
    io::Error::new(io::ErrorKind::Unsupported, "processes can only be looked at on Linux")
}
