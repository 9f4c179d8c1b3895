//! Other Unix systems: connections work, but there are no names that vanish with their holder.

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, socket};

pub(super) fn new_socket(family: AddressFamily, kind: SockType) -> io::Result<OwnedFd> {
    let socket = socket(family, kind, SockFlag::empty(), None)?;
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(socket)
}

pub(super) fn abstract_address(_name: &[u8]) -> io::Result<UnixAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "abstract names of sockets are those of Linux"))
}

pub(super) fn peer(_socket: &OwnedFd) -> Option<i32> {
    None
}

pub(crate) fn hold_name(_name: &str) -> io::Result<OwnedFd> {
    unsupported()
}

pub(crate) fn hold_along(_hold: &OwnedFd, _along: &OwnedFd) -> io::Result<()> {
    unsupported()
}

pub(crate) fn ephemeral_ports() -> io::Result<RangeInclusive<u16>> {
    unsupported()
}

pub(crate) fn first_unprivileged_port() -> u16 {
    1024
}

pub(crate) fn reserved_ports() -> Vec<RangeInclusive<u16>> {
    Vec::new()
}

fn unsupported<T>() -> io::Result<T> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "ports can only be held on Linux"))
}
