//! A port that is ours: chosen, held, and proven to be served by our own process.
//!
//! *Chosen* outside the range that the kernel takes for outgoing connections: inside of it, any connection on this machine
//! may get the number between our choice and the server's bind.
//!
//! *Held* by a name, an abstract unix socket, which goes with its last holder, reaches over users, and which every test
//! of ours asks for first. The port itself stays unbound, so that any server can bind it. Only where the kernel's
//! range leaves no room, the port is inside of it, and has to be bound as well: by a socket that never listens and
//! says `SO_REUSEADDR`, which keeps the kernel off and lets in every server that says so too (nearly all do).
//!
//! *Proven* by the inode of the listening socket, which our process tree must have among its descriptors.
//!
//! A free port on which connections have just ended (`TIME_WAIT`) is passed over: a server without `SO_REUSEADDR`
//! could not bind it for a minute. A fixed port is taken with it, since only the server can know whether it matters.

mod bind;
mod circle;
mod holder;
mod owner;
mod pool;
mod remains;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::os::fd::OwnedFd;

use bind::is_taken;
use pool::{Pool, System};

use crate::sys::diag::{Diag, Listener};
use crate::sys::random::random;
use crate::sys::{procfs, socket, user};
pub(crate) use circle::{Note, circle};
pub(crate) use holder::Holder;
pub(crate) use owner::{Holds, Owner, holder as holder_of, listens_elsewhere, owner, unix_sockets};
pub(crate) use remains::{is_obstructed, remains};

/// A port that nobody else has, as long as this or its hold lives.
#[derive(Debug)]
pub(crate) struct Port {
    number: u16,
    hold: OwnedFd,
}

/// Why there is no port.
#[derive(Debug)]
pub(crate) enum PortTrouble {
    /// All are in use.
    Exhausted {
        ports: RangeInclusive<u16>,
    },
    /// Somebody listens on the fixed port: who, if we may know.
    Taken {
        port: u16,
        by: Server,
    },
    /// Another test of ours has the fixed port. It will be free when that is done.
    HeldByTest {
        port: u16,
        /// Looked for only where it is told: it takes a look at all processes.
        holder: Option<Holder>,
    },
    /// A fixed port of 0.
    Invalid,
    Io(io::Error),
}

/// Who listens on a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Server {
    Process {
        pid: i32,
        command: String,
    },
    /// We may know whose it is, and no more: it is another user's, or the kernel's own.
    Hidden {
        uid: u32,
    },
    /// It went away while we looked.
    Gone,
}

impl Port {
    /// Any free port.
    pub(crate) fn any() -> Result<Port, PortTrouble> {
        Pool::of(System::read().map_err(PortTrouble::Io)?).take(random())
    }

    /// The port of this number.
    pub(crate) fn fixed(number: u16) -> Result<Port, PortTrouble> {
        if number == 0 {
            return Err(PortTrouble::Invalid);
        }
        // The name comes first. The other way round, a test of ours could begin to listen between the two.
        let hold = hold(number).map_err(PortTrouble::Io)?;
        let hold = hold.ok_or(PortTrouble::HeldByTest { port: number, holder: None })?;
        if is_served(number).map_err(PortTrouble::Io)? {
            return Err(PortTrouble::Taken { port: number, by: server(number) });
        }
        Ok(Port { number, hold })
    }

    /// The ports of these numbers, which differ: all of them or none, so that nobody who has to wait keeps others
    /// waiting. The lowest comes first: of several who want some of the same, one always gets all of its own.
    pub(crate) fn fixed_all(numbers: &[u16]) -> Result<Vec<Port>, (u16, PortTrouble)> {
        let mut numbers = numbers.to_vec();
        numbers.sort_unstable();
        numbers.into_iter().map(|number| Port::fixed(number).map_err(|trouble| (number, trouble))).collect()
    }

    /// Whether nobody listens on a port that is held already.
    pub(crate) fn check_free(number: u16) -> Result<(), PortTrouble> {
        if is_served(number).map_err(PortTrouble::Io)? {
            return Err(PortTrouble::Taken { port: number, by: server(number) });
        }
        Ok(())
    }

    pub(crate) fn number(&self) -> u16 {
        self.number
    }

    /// What keeps the port ours, to be handed to whoever outlives us.
    pub(crate) fn into_hold(self) -> OwnedFd {
        self.hold
    }
}

/// Holds the name of a port. Nothing if another test of ours has it.
fn hold(number: u16) -> io::Result<Option<OwnedFd>> {
    match socket::hold_name(&name_of(number)) {
        Err(error) if is_taken(&error) => Ok(None),
        hold => hold.map(Some),
    }
}

/// The name that whoever holds a port has.
fn name_of(number: u16) -> String {
    format!("pkit-test-port-{number}")
}

/// Whether a client of this machine finds somebody at the port.
fn is_served(number: u16) -> io::Result<bool> {
    Ok(!local_servers(number)?.is_empty())
}

fn server(number: u16) -> Server {
    let listeners = local_servers(number).unwrap_or_default();
    let found = listeners.iter().find_map(|listener| procfs::find_socket_owner(listener.inode, &[]));
    match (found, listeners.first()) {
        (Some((pid, command)), _) => Server::Process { pid, command },
        (None, Some(listener)) => Server::Hidden { uid: listener.uid },
        (None, None) => Server::Gone,
    }
}

fn local_servers(number: u16) -> io::Result<Vec<Listener>> {
    let mut listeners = Diag::open().listeners(number)?;
    listeners.retain(|listener| local(number).into_iter().any(|addr| listener.answers(addr)));
    Ok(listeners)
}

fn local(number: u16) -> [SocketAddr; 2] {
    [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, number))
}

impl fmt::Display for PortTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PortTrouble::Exhausted { ports } => write!(f, "no port of {} to {} is free", ports.start(), ports.end()),
            PortTrouble::Taken { port, by } => write!(f, "port {port} is taken by {by}"),
            PortTrouble::HeldByTest { port, holder: Some(holder) } => {
                write!(f, "port {port} is held by another test{holder}")
            }
            PortTrouble::HeldByTest { port, holder: None } => write!(f, "port {port} is held by another test"),
            PortTrouble::Invalid => write!(f, "0 is not a port that can be fixed"),
            PortTrouble::Io(error) => write!(f, "no port can be reserved: {error}"),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Server::Process { pid, command } => write!(f, "pid {pid}: {command}"),
            Server::Hidden { uid } => {
                write!(f, "a process of `{}` that we may not look at, or the kernel", user::name_of(*uid))
            }
            Server::Gone => write!(f, "a process that has just let it go"),
        }
    }
}

#[cfg(test)]
mod tests;
