//! Other Unix systems: names are locks on files, and the kernel's own ports are asked by `sysctl(3)`.

use std::io;
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, socket};

use super::lockfile;

pub(super) fn new_socket(family: AddressFamily, kind: SockType) -> io::Result<OwnedFd> {
    let socket = socket(family, kind, SockFlag::empty(), None)?;
    fcntl(&socket, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(socket)
}

pub(super) fn abstract_address(_name: &[u8]) -> io::Result<UnixAddr> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "abstract names of sockets are those of Linux"))
}

pub(crate) fn peer(_socket: impl std::os::fd::AsFd) -> Option<i32> {
    None
}

/// The user at the other end of a unix socket.
#[cfg(any(target_os = "freebsd", target_os = "macos"))]
pub(crate) fn peer_user(socket: impl std::os::fd::AsFd) -> Option<u32> {
    use std::os::fd::AsRawFd as _;
    let (mut user, mut group) = (0, 0);
    // SAFETY: the descriptor is open, and both places live through the call.
    let result = unsafe { nix::libc::getpeereid(socket.as_fd().as_raw_fd(), &raw mut user, &raw mut group) };
    (result == 0).then_some(user)
}

#[cfg(not(any(target_os = "freebsd", target_os = "macos")))]
pub(crate) fn peer_user(_socket: impl std::os::fd::AsFd) -> Option<u32> {
    None
}

/// Holds a name for as long as the descriptor, or a copy of it in whatever process, is open. The error is `AddrInUse`
/// if somebody has the name.
pub(crate) fn hold_name(name: &str) -> io::Result<OwnedFd> {
    lockfile::hold(name)
}

/// Where all ports are such as the kernel gives away, nobody can be kept off one here.
pub(crate) fn hold_along(_hold: &OwnedFd, _along: &OwnedFd) -> io::Result<()> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "a port of those for outgoing connections cannot be held here"))
}

/// The ports that the kernel gives to outgoing connections.
#[cfg(any(target_os = "freebsd", target_os = "macos"))]
pub(crate) fn ephemeral_ports() -> io::Result<RangeInclusive<u16>> {
    Ok(setting(c"net.inet.ip.portrange.first")?..=setting(c"net.inet.ip.portrange.last")?)
}

pub(crate) fn first_unprivileged_port() -> u16 {
    1024
}

pub(crate) fn reserved_ports() -> Vec<RangeInclusive<u16>> {
    Vec::new()
}

/// The ports that are meant for outgoing connections by convention.
#[cfg(not(any(target_os = "freebsd", target_os = "macos")))]
pub(crate) fn ephemeral_ports() -> io::Result<RangeInclusive<u16>> {
    Ok(49_152..=65_535)
}

#[cfg(any(target_os = "freebsd", target_os = "macos"))]
fn setting(name: &std::ffi::CStr) -> io::Result<u16> {
    let (mut value, mut length): (nix::libc::c_int, usize) = (0, size_of::<nix::libc::c_int>());
    // SAFETY: the name is a C string, and the value has the length that is said.
    let result = unsafe {
        let value = (&raw mut value).cast();
        nix::libc::sysctlbyname(name.as_ptr(), value, &raw mut length, std::ptr::null_mut(), 0)
    };
    if result == -1 {
        return Err(io::Error::last_os_error());
    }
    u16::try_from(value).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "the range of ports cannot be read"))
}
