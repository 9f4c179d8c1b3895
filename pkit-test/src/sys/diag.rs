//! Who listens on which TCP port, from the kernel itself (`sock_diag`).
//!
//! One exact question takes 7 µs, needs no rights, and the server does not notice it. Reading `/proc/net/tcp` takes
//! 200 times as long, and a connection is seen by the server, which may have been waiting for exactly one.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux::Kernel;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other::Kernel;

mod nextbest;
use nextbest::NextBest;

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Whoever is asked.
#[derive(Debug)]
pub(crate) enum Diag {
    Kernel(Kernel),
    NextBest(NextBest),
}

impl Diag {
    /// Opens a line to the kernel, or finds another way where it does not answer.
    pub(crate) fn open() -> Diag {
        Kernel::open().map_or_else(|_| Diag::NextBest(NextBest::new()), Diag::Kernel)
    }

    /// Whether a client that connects to this address would find a listener.
    pub(crate) fn is_listening(&self, addr: SocketAddr) -> io::Result<bool> {
        match self {
            Diag::Kernel(kernel) => kernel.is_listening(addr),
            Diag::NextBest(next_best) => next_best.is_listening(addr),
        }
    }

    /// All listeners of a port, on whatever address.
    pub(crate) fn listeners(&self, port: u16) -> io::Result<Vec<Listener>> {
        match self {
            Diag::Kernel(kernel) => kernel.listeners(port),
            Diag::NextBest(next_best) => next_best.listeners(port),
        }
    }

    /// All sockets that have a port and do not listen, where the kernel tells of them.
    pub(crate) fn occupants(&self, port: u16) -> io::Result<Vec<Occupant>> {
        match self {
            Diag::Kernel(kernel) => kernel.occupants(port),
            Diag::NextBest(_) => Err(io::Error::new(io::ErrorKind::Unsupported, "nobody tells who has a port here")),
        }
    }

    /// All unix sockets of this network namespace that accept connections. An error where the kernel does not tell.
    pub(crate) fn unix_listeners() -> io::Result<Vec<UnixListener>> {
        Kernel::open_unix()?.unix_listeners()
    }

    /// All listeners.
    pub(crate) fn all_listeners(&self) -> io::Result<Vec<Listener>> {
        match self {
            Diag::Kernel(kernel) => kernel.all_listeners(),
            Diag::NextBest(next_best) => next_best.all_listeners(),
        }
    }
}

/// A socket that accepts TCP connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listener {
    pub(crate) addr: SocketAddr,
    /// What `/proc/PID/fd` calls it: `socket:[inode]`.
    pub(crate) inode: u64,
    pub(crate) uid: u32,
    /// Whether it is an IPv6 socket that leaves IPv4 alone.
    pub(crate) v6_only: bool,
    /// Whether it is bound to an interface by which nobody comes from this machine.
    pub(crate) is_apart: bool,
}

/// A unix socket that accepts connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnixListener {
    /// As it was bound: a path as its owner means it, or with a zero byte first the name of an abstract one.
    pub(crate) name: Vec<u8>,
    /// What `/proc/PID/fd` calls it: `socket:[inode]`.
    pub(crate) inode: u64,
    /// The file that it was bound to.
    pub(crate) file: Option<FileId>,
}

/// A file as the kernel knows it: the number of its inode, the lower half of it, and its device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    pub(crate) inode: u32,
    pub(crate) device: u32,
}

impl FileId {
    /// That of what a path means. The kernel has another way to write a device than its users.
    pub(crate) fn of(metadata: &std::fs::Metadata) -> FileId {
        use std::os::unix::fs::MetadataExt;
        let device = metadata.dev();
        let major = (device >> 8) & 0xfff | (device >> 32) & !0xfff;
        let minor = device & 0xff | (device >> 12) & 0xf_ff00;
        FileId { inode: metadata.ino() as u32, device: (major << 20 | minor) as u32 }
    }
}

/// A socket that has a port without listening on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Occupant {
    pub(crate) usage: Usage,
    /// 0 where no process has it any more.
    pub(crate) inode: u64,
    /// Nothing of it means anything unless it is connected.
    pub(crate) peer: SocketAddr,
}

/// What a port is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(not(target_os = "linux"), expect(dead_code, reason = "nobody can be asked there"))]
pub(crate) enum Usage {
    /// It was bound, and nothing followed. Kernels before 6.8 do not tell.
    Bound,
    Connected,
    /// What is left of a connection that no process has any more: `TIME_WAIT` and what comes before it.
    Ending,
}

impl Listener {
    /// Whether a client that connects to `to` may end up at this socket.
    pub(crate) fn answers(&self, to: SocketAddr) -> bool {
        self.addr.port() == to.port() && !self.is_apart && self.answers_ip(destination(to.ip()))
    }

    fn answers_ip(&self, to: IpAddr) -> bool {
        match (self.addr.ip(), to) {
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V4(_)) => !self.v6_only,
            (IpAddr::V6(Ipv6Addr::UNSPECIFIED), IpAddr::V6(_)) => true,
            (own, to) => match (own.to_canonical(), to) {
                (IpAddr::V4(Ipv4Addr::UNSPECIFIED), to) => to.is_ipv4(),
                (own, to) => own == to,
            },
        }
    }
}

/// The address that a connection to `ip` really goes to: "any" is this machine, and a mapped address is IPv4.
fn destination(ip: IpAddr) -> IpAddr {
    match ip.to_canonical() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    }
}

#[cfg(test)]
mod tests;
