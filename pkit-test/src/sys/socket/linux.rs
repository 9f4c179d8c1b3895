//! Linux: names in the abstract namespace of unix sockets, and the range of ports for outgoing connections.

use std::fs;
use std::io::{self, IoSlice};
use std::ops::RangeInclusive;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, bind, getsockname, sendmsg, socket,
};

use super::lockfile;
use crate::sys::without::{Means, lacks};

pub(super) fn new_socket(family: AddressFamily, kind: SockType) -> io::Result<OwnedFd> {
    Ok(socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?)
}

/// Holds a name for as long as the descriptor, or a copy of it in whatever process, is open. The error is `AddrInUse`
/// if somebody has the name, of any user in this network namespace.
pub(crate) fn hold_name(name: &str) -> io::Result<OwnedFd> {
    if lacks(Means::Abstract) {
        return lockfile::hold(name);
    }
    let hold = new_socket(AddressFamily::Unix, SockType::Datagram)?;
    bind(hold.as_raw_fd(), &UnixAddr::new_abstract(name.as_bytes())?)?;
    Ok(hold)
}

/// Holds a descriptor for as long as a name that is held already.
///
/// It lies in the queue of the name's socket, as a message to itself: so one descriptor can be handed to another
/// process and keeps both.
pub(crate) fn hold_along(hold: &OwnedFd, along: &OwnedFd) -> io::Result<()> {
    if lacks(Means::Abstract) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let itself: UnixAddr = getsockname(hold.as_raw_fd())?;
    let fds = [along.as_raw_fd()];
    let rights = [ControlMessage::ScmRights(&fds)];
    sendmsg(hold.as_raw_fd(), &[IoSlice::new(b"held")], &rights, MsgFlags::MSG_DONTWAIT, Some(&itself))?;
    Ok(())
}

/// The ports that the kernel gives to outgoing connections.
pub(crate) fn ephemeral_ports() -> io::Result<RangeInclusive<u16>> {
    let range = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")?;
    let mut limits = range.split_ascii_whitespace().map(str::parse);
    match (limits.next(), limits.next()) {
        (Some(Ok(first)), Some(Ok(last))) => Ok(first..=last),
        _ => Err(io::Error::new(io::ErrorKind::InvalidData, "ip_local_port_range cannot be read")),
    }
}
