//! Linux: names in the abstract namespace of unix sockets, and what is set about ports.
//!
//! `/proc/sys/net` shows the network namespace of whoever opens a file in it, be it only a thread.

use std::fs;
use std::io::{self, IoSlice};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, UnixAddr, bind, getsockname, getsockopt, sendmsg,
    socket, sockopt,
};

use super::lockfile;
use crate::sys::without::{Means, lacks};

pub(super) fn new_socket(family: AddressFamily, kind: SockType) -> io::Result<OwnedFd> {
    Ok(socket(family, kind, SockFlag::SOCK_CLOEXEC, None)?)
}

pub(super) fn abstract_address(name: &[u8]) -> io::Result<UnixAddr> {
    Ok(UnixAddr::new_abstract(name)?)
}

/// Who is at the other end of a unix socket; 0 is somebody who cannot be seen from here.
pub(crate) fn peer(socket: impl AsFd) -> Option<i32> {
    getsockopt(&socket, sockopt::PeerCredentials).ok().map(|peer| peer.pid()).filter(|pid| *pid > 0)
}

/// The user at the other end of a unix socket.
pub(crate) fn peer_user(socket: impl AsFd) -> Option<u32> {
    getsockopt(&socket, sockopt::PeerCredentials).ok().map(|peer| peer.uid())
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

/// The first port that can be bound without any rights.
pub(crate) fn first_unprivileged_port() -> u16 {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    // Kernels before 4.11 have a fixed one.
    text.trim().parse().unwrap_or(1024)
}

/// The ports that were set aside: the kernel does not give them to outgoing connections.
pub(crate) fn reserved_ports() -> Vec<RangeInclusive<u16>> {
    let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_reserved_ports").unwrap_or_default();
    text.trim().split(',').filter_map(port_range).collect()
}

/// `8080` or `9148-9151`.
fn port_range(text: &str) -> Option<RangeInclusive<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    Some(first.parse().ok()?..=last.parse().ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_ports_has_single_ones_and_ranges() {
        assert_eq!(port_range("8080"), Some(8080..=8080));
        assert_eq!(port_range("9148-9151"), Some(9148..=9151));
        assert_eq!(port_range(""), None);
        assert_eq!(port_range("1-70000"), None);
    }
}
