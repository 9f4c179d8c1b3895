//! Who listens, where the kernel does not answer such questions: a container's filter, a small kernel, another system.
//!
//! Linux still has its tables as text: slow, but whole, and no server notices. They do not say whether a listener of IPv6
//! takes IPv4 as well, so there, and where there are no tables at all, only a connection can tell. It is closed in order,
//! which most servers pass over in silence; whose the server is stays unknown then.

use std::cell::Cell;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use super::Listener;
use crate::sys::socket::{self, Wish};
use crate::sys::without::{Means, lacks};

/// How long a connection to this very machine may take.
const KNOCK_LIMIT: Duration = Duration::from_millis(200);

/// `TCP_LISTEN`, as the tables have it.
const LISTENS: &str = "0A";

/// What is asked instead of the kernel.
#[derive(Debug)]
pub(crate) struct NextBest {
    /// Where somebody has answered: an address that no list has.
    answered: Cell<Option<SocketAddr>>,
}

impl NextBest {
    pub(crate) fn new() -> NextBest {
        NextBest { answered: Cell::new(None) }
    }

    /// Whether a client that connects to this address would find a listener.
    pub(crate) fn is_listening(&self, addr: SocketAddr) -> io::Result<bool> {
        if let Some(all) = tables() {
            let mut answering = all.iter().filter(|listener| listener.answers(addr)).peekable();
            if answering.peek().is_none() {
                return Ok(false);
            }
            if answering.any(|listener| listener.addr.is_ipv4() == addr.is_ipv4()) {
                return Ok(true);
            }
        }
        let answers = answers(addr)?;
        self.answered.set(Some(addr).filter(|_| answers));
        Ok(answers)
    }

    /// All listeners of a port that can be found.
    pub(crate) fn listeners(&self, port: u16) -> io::Result<Vec<Listener>> {
        if let Some(mut all) = tables() {
            all.retain(|listener| listener.addr.port() == port);
            return Ok(all);
        }
        let local = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];
        let local = local.map(|ip| SocketAddr::new(ip, port));
        let elsewhere = self.answered.get().filter(|addr| addr.port() == port && !local.contains(addr));
        let mut found = Vec::new();
        for addr in local.into_iter().chain(elsewhere) {
            found.extend(Some(somebody(addr)).filter(|_| answers(addr).unwrap_or(false)));
        }
        Ok(found)
    }

    /// All listeners; without tables none is known.
    pub(crate) fn all_listeners(&self) -> io::Result<Vec<Listener>> {
        tables().ok_or_else(|| io::Error::new(io::ErrorKind::Unsupported, "nobody lists sockets here"))
    }
}

/// A listener of whom only the address is known. No socket has an inode of 0, so nobody is found to own it.
fn somebody(addr: SocketAddr) -> Listener {
    Listener { addr, inode: 0, uid: u32::MAX, v6_only: true, is_apart: false }
}

/// Whether somebody accepts a connection.
fn answers(addr: SocketAddr) -> io::Result<bool> {
    // An address that this machine does not have is served by nobody.
    let Ok(stream) = socket::begin_connect(addr) else { return Ok(false) };
    if !socket::wait_until_ready(&stream, Wish::Write, KNOCK_LIMIT)? || stream.take_error()?.is_some() {
        return Ok(false);
    }
    let (Ok(own), Ok(peer)) = (stream.local_addr(), stream.peer_addr()) else { return Ok(false) };
    if own == peer {
        // The kernel gave us the very port that we connect to, and we have met ourselves. The server is to get it back at once.
        socket::abort(stream);
        return Ok(false);
    }
    Ok(true)
}

/// The listeners of both tables, or nothing where there are none.
fn tables() -> Option<Vec<Listener>> {
    if lacks(Means::ProcNet) {
        return None;
    }
    // Those of the thread, which may be in a network of its own: `/proc/net` would be that of the first one.
    let v4 = fs::read_to_string("/proc/thread-self/net/tcp").ok()?;
    // A kernel without IPv6 has one table only.
    let v6 = fs::read_to_string("/proc/thread-self/net/tcp6").unwrap_or_default();
    Some(v4.lines().chain(v6.lines()).filter_map(listener).collect())
}

/// A row that is a listener. The heading is none.
fn listener(row: &str) -> Option<Listener> {
    let fields: Vec<&str> = row.split_ascii_whitespace().collect();
    if *fields.get(3)? != LISTENS {
        return None;
    }
    let (ip, port) = fields.get(1)?.split_once(':')?;
    let addr = SocketAddr::new(ip_of(ip)?, u16::from_str_radix(port, 16).ok()?);
    let (inode, uid) = (fields.get(9)?.parse().ok()?, fields.get(7)?.parse().ok()?);
    Some(Listener { addr, inode, uid, v6_only: false, is_apart: false })
}

/// The kernel writes an address as words of its own byte order.
fn ip_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| Some(u32::from_str_radix(hex.get(at..at + 8)?, 16).ok()?.to_ne_bytes());
    match hex.len() {
        8 => Some(IpAddr::from(word(0)?)),
        32 => {
            let words = [word(0)?, word(8)?, word(16)?, word(24)?].concat();
            Some(IpAddr::from(<[u8; 16]>::try_from(words).ok()?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;
    use crate::sys::wait::eventually;

    #[test]
    #[cfg(target_endian = "little")]
    fn rows_are_read_and_headings_are_not() {
        let heading =
            "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode";
        assert_eq!(listener(heading), None);
        let v4 =
            "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000   104        0 4711 1 0 100 0";
        let found = listener(v4).unwrap();
        assert_eq!((found.addr.to_string().as_str(), found.inode, found.uid), ("127.0.0.1:8080", 4711, 104));
        assert_eq!(listener(&v4.replace(" 0A ", " 01 ")), None);
        let v6 = v4.replace("0100007F", "00000000000000000000000001000000");
        assert_eq!(listener(&v6).unwrap().addr.to_string(), "[::1]:8080");
        assert_eq!(listener(&v4[..40]), None);
    }

    #[test]
    fn who_listens_is_found_and_who_does_not_is_not() {
        let server = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = server.local_addr().unwrap();
        let asked = NextBest::new();
        assert!(asked.is_listening(addr).unwrap());
        assert!(answers(addr).unwrap());
        assert!(asked.listeners(addr.port()).unwrap().iter().any(|listener| listener.answers(addr)));
        drop(server);
        // What another test has just forked has it, too, until it executes something.
        eventually(|| !asked.is_listening(addr).unwrap());
        eventually(|| !answers(addr).unwrap());
        eventually(|| !asked.listeners(addr.port()).unwrap().iter().any(|listener| listener.answers(addr)));
    }

    #[test]
    fn a_listener_of_ipv6_alone_does_not_answer_for_ipv4() {
        let Ok(server) = TcpListener::bind("[::1]:0") else { return };
        let port = server.local_addr().unwrap().port();
        let asked = NextBest::new();
        assert!(asked.is_listening((Ipv6Addr::LOCALHOST, port).into()).unwrap());
        assert!(!asked.is_listening((Ipv4Addr::LOCALHOST, port).into()).unwrap());
    }
}
