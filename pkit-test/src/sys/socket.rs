//! Sockets: names and ports that are bound to be held, and connections that do not wait.
//!
//! Everything here is closed at exec, from its first moment on where the system can do that.

mod lockfile;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::{abstract_address, new_socket};
#[cfg(target_os = "linux")]
pub(crate) use linux::{ephemeral_ports, first_unprivileged_port, hold_along, hold_name, reserved_ports};
#[cfg(target_os = "linux")]
pub(crate) use linux::{peer, peer_user};

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other::{abstract_address, new_socket};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{ephemeral_ports, first_unprivileged_port, hold_along, hold_name, reserved_ports};
#[cfg(not(target_os = "linux"))]
pub(crate) use other::{peer, peer_user};

use std::io;
use std::mem::offset_of;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::socket::{AddressFamily, SockType, SockaddrStorage, UnixAddr, bind, connect, setsockopt, sockopt};

/// How long the path of a unix socket may be: the kernel has so much room, and the standard library wants a zero behind it.
pub(crate) const PATH_BYTES: usize = size_of::<libc::sockaddr_un>() - offset_of!(libc::sockaddr_un, sun_path) - 1;

/// Binds a TCP port that nobody else has in any state, not even a connection that has just ended.
///
/// An IPv6 address is bound without its IPv4 part.
pub(crate) fn bind_exclusively(addr: SocketAddr) -> io::Result<OwnedFd> {
    let socket = tcp_socket(addr)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(addr))?;
    Ok(socket)
}

/// Binds a TCP port on which nobody listens.
pub(crate) fn bind_shared(addr: SocketAddr) -> io::Result<OwnedFd> {
    let socket = tcp_socket(addr)?;
    share(&socket)?;
    bind(socket.as_raw_fd(), &SockaddrStorage::from(addr))?;
    Ok(socket)
}

/// Lets others bind the same port, if they say `SO_REUSEADDR` too.
pub(crate) fn share(socket: &OwnedFd) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::ReuseAddr, &true)?)
}

/// Begins to connect, and does not wait until it is done: then the stream becomes writable.
pub(crate) fn begin_connect(addr: SocketAddr) -> io::Result<TcpStream> {
    let socket = TcpStream::from(tcp_socket(addr)?);
    socket.set_nonblocking(true)?;
    match connect(socket.as_raw_fd(), &SockaddrStorage::from(addr)) {
        // After an interruption it goes on in the same way.
        Ok(()) | Err(Errno::EINPROGRESS | Errno::EINTR) => Ok(socket),
        Err(error) => Err(error.into()),
    }
}

/// Whether this machine has an address, in the network of the thread.
pub(crate) fn is_own(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}

/// Connects to a unix socket, by its path or with a zero byte first by its abstract name, and ends that at once. Who
/// began to listen there, where the system says it; `WouldBlock` where too many wait already to be accepted.
pub(crate) fn ask_who_listens(name: &[u8]) -> io::Result<Option<i32>> {
    let address = match name.strip_prefix(&[0]) {
        Some(name) => abstract_address(name)?,
        None => UnixAddr::new(name)?,
    };
    let socket = new_socket(AddressFamily::Unix, SockType::Stream)?;
    super::fd::set_nonblocking(socket.as_fd())?;
    connect(socket.as_raw_fd(), &address)?;
    Ok(peer(&socket))
}

/// Connects to a unix socket, and waits no longer than that for whoever listens there to let others in. What is written to it
/// waits no longer, either. `WouldBlock` when the time is over.
pub(crate) fn connect_unix(path: &Path, limit: Duration) -> io::Result<UnixStream> {
    let socket = new_socket(AddressFamily::Unix, SockType::Stream)?;
    let stream = UnixStream::from(socket);
    stream.set_write_timeout(Some(limit))?;
    let address = UnixAddr::new(path)?;
    loop {
        match connect(stream.as_raw_fd(), &address) {
            // Nothing has begun yet.
            Err(Errno::EINTR) => {}
            connected => return Ok(connected.map(|()| stream)?),
        }
    }
}

/// Ends a connection with a reset, which leaves no `TIME_WAIT` on the port.
pub(crate) fn abort(stream: TcpStream) {
    let linger = libc::linger { l_onoff: 1, l_linger: 0 };
    // Without it the port is merely blocked for some programs for a minute.
    let _ = setsockopt(&stream, sockopt::Linger, &linger);
}

/// What a descriptor is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wish {
    Read,
    Write,
}

/// Waits at most `limit`, rounded up to milliseconds. `true` if there is something to do, be it to see an error.
pub(crate) fn wait_until_ready(fd: impl AsFd, wish: Wish, limit: Duration) -> io::Result<bool> {
    let events = match wish {
        Wish::Read => PollFlags::POLLIN,
        Wish::Write => PollFlags::POLLOUT,
    };
    let limit = PollTimeout::try_from(limit.as_micros().div_ceil(1000)).unwrap_or(PollTimeout::MAX);
    match poll(&mut [PollFd::new(fd.as_fd(), events)], limit) {
        // Who waits has a deadline of its own, and comes back.
        Err(Errno::EINTR) => Ok(false),
        ready => Ok(ready? > 0),
    }
}

fn tcp_socket(addr: SocketAddr) -> io::Result<OwnedFd> {
    if addr.is_ipv4() {
        return new_socket(AddressFamily::Inet, SockType::Stream);
    }
    let socket = new_socket(AddressFamily::Inet6, SockType::Stream)?;
    setsockopt(&socket, sockopt::Ipv6V6Only, &true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests;
