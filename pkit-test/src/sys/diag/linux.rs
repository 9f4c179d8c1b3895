//! The netlink side of it: `sock_diag(7)`, messages of `linux/inet_diag.h`.
//!
//! Requests and answers are a few fixed fields, written and read as bytes, which needs no `unsafe`. The kernel
//! answers within `send` or `recv` itself, so the socket is a blocking one; a time limit on it only guards
//! against a kernel that breaks this.

use std::cell::Cell;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, OwnedFd};
use std::sync::OnceLock;

use nix::errno::Errno;
use nix::libc;
use nix::sys::socket::{
    AddressFamily, MsgFlags, SockFlag, SockProtocol, SockType, recv, send, setsockopt, socket, sockopt,
};
use nix::sys::time::{TimeVal, TimeValLike};

use super::{Listener, Occupant, Usage, destination};
use crate::sys::without::{Means, lacks};

mod unix;

/// `SOCK_DIAG_BY_FAMILY`, also the type of an answer.
const BY_FAMILY: u16 = 20;
/// `TCPDIAG_GETSOCK`, the older question, and the type of its answers. It is the only one that lists IPv4 and IPv6 in one
/// go: the table of listeners, which is what costs, is walked once.
const BOTH_FAMILIES: u16 = 18;
/// `TCP_LISTEN` of `net/tcp_states.h`.
const LISTEN: u8 = 10;
/// `TCP_CLOSE`: it is bound, or not even that.
const CLOSE: u8 = 7;
/// `TCP_BOUND_INACTIVE`: asks for sockets that are bound and no more; older kernels do not know it and pass it over.
const BOUND: u8 = 13;
/// All others.
const OTHER_STATES: u32 = (1 << (BOUND + 1)) - 2 - (1 << LISTEN);
/// `INET_DIAG_SKV6ONLY`: an attribute with one byte, which listeners of IPv6 always have.
const V6_ONLY: u16 = 11;

/// `LOOPBACK_IFINDEX`: the first interface of every network.
const LOOPBACK: u32 = 1;

const HEADER_BYTES: usize = 16;
/// `struct inet_diag_sockid`
const ID_BYTES: usize = 48;
/// Where the interface is in `struct inet_diag_msg`.
const INTERFACE_AT: usize = 4 + 36;
/// `struct inet_diag_msg`
const ANSWER_BYTES: usize = 4 + ID_BYTES + 20;
/// A header and `struct inet_diag_req_v2`.
const EXACT_REQUEST_BYTES: usize = HEADER_BYTES + 8 + ID_BYTES;
/// A header and the older `struct inet_diag_req`.
const LIST_REQUEST_BYTES: usize = HEADER_BYTES + 12 + ID_BYTES;
/// The answer to an exact question has a few small attributes.
const EXACT_BYTES: usize = 512;
/// The kernel makes the parts of a dump no larger than what we offer to read, up to this.
const BUFFER_BYTES: usize = 16 * 1024;
const ANSWER_LIMIT_MS: i64 = 1000;
/// How often a list is asked for again that changed while it was written.
const INTERRUPTED_LIMIT: u32 = 3;

/// A line to the kernel. It is used by one thread at a time, so the answers cannot be mixed up.
#[derive(Debug)]
pub(crate) struct Kernel {
    socket: OwnedFd,
    sequence: Cell<u32>,
}

impl Kernel {
    /// Opens it, and makes sure that it knows about TCP. Where a container or a small kernel has no `tcp_diag`, an exact
    /// question is answered as if nobody listened, which would be believed for ever.
    pub(crate) fn open() -> io::Result<Kernel> {
        let diag = Kernel::unchecked()?;
        diag.check()?;
        Ok(diag)
    }

    fn unchecked() -> io::Result<Kernel> {
        if lacks(Means::SockDiag) {
            return Err(io::ErrorKind::Unsupported.into());
        }
        let flags = SockFlag::SOCK_CLOEXEC;
        let socket = socket(AddressFamily::Netlink, SockType::Datagram, flags, SockProtocol::NetlinkSockDiag)?;
        setsockopt(&socket, sockopt::ReceiveTimeout, &TimeVal::milliseconds(ANSWER_LIMIT_MS))?;
        Ok(Kernel { socket, sequence: Cell::new(0) })
    }

    /// Whether the kernel answers such questions at all, which it does not unlearn.
    fn check(&self) -> io::Result<()> {
        static ANSWERS: OnceLock<()> = OnceLock::new();
        if ANSWERS.get().is_some() {
            return Ok(());
        }
        match self.listeners(1) {
            Err(error) if is_unsupported(&error) => Err(io::Error::new(io::ErrorKind::Unsupported, "no tcp_diag here")),
            known => known.map(|_| *ANSWERS.get_or_init(|| ())),
        }
    }

    /// Whether a client that connects to this address would find a listener.
    pub(crate) fn is_listening(&self, addr: SocketAddr) -> io::Result<bool> {
        let question = Id { ip: destination(addr.ip()), port: addr.port(), interface: interface(addr) };
        let sequence = self.ask(|sequence| question.exactly(sequence))?;
        let mut buffer = [0; EXACT_BYTES];
        loop {
            let answer = self.receive(&mut buffer)?;
            if let Some(message) = messages(answer).find(|message| message.sequence == sequence) {
                return message.says_listening();
            }
        }
    }

    /// All listeners of a port, on whatever address. A port of 0 stands for all.
    pub(crate) fn listeners(&self, port: u16) -> io::Result<Vec<Listener>> {
        let mut found =
            self.list(|sequence| any(port).listed(1 << LISTEN, sequence), |message| listener(message.body))?;
        found.retain(|listener| port == 0 || listener.addr.port() == port);
        Ok(found)
    }

    /// All sockets that have a port and do not listen. It takes the kernel a walk through all connections.
    pub(crate) fn occupants(&self, port: u16) -> io::Result<Vec<Occupant>> {
        let found = self.list(|sequence| any(port).listed(OTHER_STATES, sequence), |message| occupant(message.body))?;
        Ok(found.into_iter().filter(|(found, _)| *found == port).map(|(_, occupant)| occupant).collect())
    }

    /// All listeners.
    pub(crate) fn all_listeners(&self) -> io::Result<Vec<Listener>> {
        self.listeners(0)
    }

    /// All that the kernel lists as an answer, each message of it read in one way.
    fn list<T, const BYTES: usize>(
        &self,
        question: impl Fn(u32) -> [u8; BYTES],
        read: impl Fn(&Message<'_>) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        for _ in 0..INTERRUPTED_LIMIT {
            if let Dump::Whole(found) = self.list_once(&question, &read)? {
                return Ok(found);
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "the list of sockets changed all the time"))
    }

    fn list_once<T, const BYTES: usize>(
        &self,
        question: &impl Fn(u32) -> [u8; BYTES],
        read: &impl Fn(&Message<'_>) -> Option<T>,
    ) -> io::Result<Dump<T>> {
        let sequence = self.ask(question)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        let (mut found, mut interrupted) = (Vec::new(), false);
        loop {
            let part = self.receive(&mut buffer)?;
            for message in messages(part).filter(|message| message.sequence == sequence) {
                message.check()?;
                interrupted |= i32::from(message.flags) & libc::NLM_F_DUMP_INTR != 0;
                if message.is_done() {
                    return Ok(if interrupted { Dump::Interrupted } else { Dump::Whole(found) });
                }
                found.push(read(&message).ok_or_else(malformed)?);
            }
        }
    }

    /// Sends a question and returns the number that its answers will have.
    fn ask<const BYTES: usize>(&self, question: impl FnOnce(u32) -> [u8; BYTES]) -> io::Result<u32> {
        self.sequence.set(self.sequence.get().wrapping_add(1));
        let request = question(self.sequence.get());
        loop {
            match send(self.socket.as_raw_fd(), &request, MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                sent => return sent.map(|_| self.sequence.get()).map_err(io::Error::from),
            }
        }
    }

    fn receive<'b>(&self, buffer: &'b mut [u8]) -> io::Result<&'b [u8]> {
        loop {
            // With MSG_TRUNC the length is that of the message, not that of what fitted.
            match recv(self.socket.as_raw_fd(), buffer, MsgFlags::MSG_TRUNC) {
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error.into()),
                Ok(length) => return buffer.get(..length).filter(|answer| !answer.is_empty()).ok_or_else(malformed),
            }
        }
    }
}

enum Dump<T> {
    Whole(Vec<T>),
    Interrupted,
}

/// The socket that is asked for.
struct Id {
    ip: IpAddr,
    port: u16,
    interface: u32,
}

impl Id {
    fn family(&self) -> u8 {
        (if self.ip.is_ipv4() { libc::AF_INET } else { libc::AF_INET6 }) as u8
    }

    /// Who answers at just this address? `struct inet_diag_req_v2`.
    fn exactly(&self, sequence: u32) -> [u8; EXACT_REQUEST_BYTES] {
        let mut request = header(BY_FAMILY, libc::NLM_F_REQUEST, sequence);
        let body = &mut request[HEADER_BYTES..];
        body[..2].copy_from_slice(&[self.family(), libc::IPPROTO_TCP as u8]);
        body[4..8].copy_from_slice(&(1_u32 << LISTEN).to_ne_bytes());
        self.write(&mut body[8..]);
        request
    }

    /// Who is at this port, in one of these states? `struct inet_diag_req`, whose family the kernel ignores: it lists both.
    fn listed(&self, states: u32, sequence: u32) -> [u8; LIST_REQUEST_BYTES] {
        let mut request = header(BOTH_FAMILIES, libc::NLM_F_REQUEST | libc::NLM_F_DUMP, sequence);
        let body = &mut request[HEADER_BYTES..];
        body[0] = self.family();
        self.write(&mut body[4..]);
        body[4 + ID_BYTES..][..4].copy_from_slice(&states.to_ne_bytes());
        request
    }

    /// `struct inet_diag_sockid`: both ports, both addresses, the interface, and a cookie that says "whichever it is".
    fn write(&self, bytes: &mut [u8]) {
        bytes[..2].copy_from_slice(&self.port.to_be_bytes());
        bytes[4..20].copy_from_slice(&ip_bytes(self.ip));
        bytes[36..40].copy_from_slice(&self.interface.to_ne_bytes());
        bytes[40..48].copy_from_slice(&[0xff; 8]);
    }
}

/// `struct nlmsghdr` of a message that is as long as the array. Who asks is left to the kernel.
fn header<const BYTES: usize>(kind: u16, flags: i32, sequence: u32) -> [u8; BYTES] {
    let mut message = [0; BYTES];
    message[..4].copy_from_slice(&(BYTES as u32).to_ne_bytes());
    message[4..6].copy_from_slice(&kind.to_ne_bytes());
    message[6..8].copy_from_slice(&(flags as u16).to_ne_bytes());
    message[8..12].copy_from_slice(&sequence.to_ne_bytes());
    message
}

/// The interface by which a client of this machine comes: that of a link-local address, else the loopback, whatever the
/// address. With none a listener that is bound to an interface would not be found.
fn interface(addr: SocketAddr) -> u32 {
    match addr {
        SocketAddr::V6(addr) if addr.scope_id() != 0 => addr.scope_id(),
        _ => LOOPBACK,
    }
}

fn ip_bytes(ip: IpAddr) -> [u8; 16] {
    let mut bytes = [0; 16];
    match ip {
        IpAddr::V4(ip) => bytes[..4].copy_from_slice(&ip.octets()),
        IpAddr::V6(ip) => bytes = ip.octets(),
    }
    bytes
}

struct Message<'b> {
    kind: u16,
    flags: u16,
    sequence: u32,
    body: &'b [u8],
}

/// The messages of one answer. It ends at the first that is not whole, which the kernel never sends.
fn messages(mut answer: &[u8]) -> impl Iterator<Item = Message<'_>> {
    std::iter::from_fn(move || {
        let length = u32_at(answer, 0)? as usize;
        let body = answer.get(HEADER_BYTES..length)?;
        let (kind, flags) = (u16_at(answer, 4)?, u16_at(answer, 6)?);
        let message = Message { kind, flags, sequence: u32_at(answer, 8)?, body };
        answer = answer.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some(message)
    })
}

impl Message<'_> {
    fn is_done(&self) -> bool {
        i32::from(self.kind) == libc::NLMSG_DONE
    }

    /// An error message has its number first, and so has the end of a dump that failed half-way.
    fn check(&self) -> io::Result<()> {
        let is_error = i32::from(self.kind) == libc::NLMSG_ERROR;
        let number = u32_at(self.body, 0).map_or(0, |number| number as i32);
        if (is_error || self.is_done()) && number < 0 {
            return Err(io::Error::from_raw_os_error(-number));
        }
        if self.is_done() || [BY_FAMILY, BOTH_FAMILIES].contains(&self.kind) { Ok(()) } else { Err(malformed()) }
    }

    /// The answer to an exact question: the socket, or that there is none.
    fn says_listening(&self) -> io::Result<bool> {
        match self.check() {
            Ok(()) => Ok(self.body.get(1) == Some(&LISTEN)),
            Err(error) if is_no_entry(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A port on whatever address.
fn any(port: u16) -> Id {
    Id { ip: Ipv4Addr::UNSPECIFIED.into(), port, interface: 0 }
}

/// `struct inet_diag_msg`, then attributes.
fn listener(body: &[u8]) -> Option<Listener> {
    let (fixed, attributes) = body.split_at_checked(ANSWER_BYTES)?;
    let (uid, inode) = (u32_at(fixed, ANSWER_BYTES - 8)?, u32_at(fixed, ANSWER_BYTES - 4)?);
    let addr = address(fixed, 4, 8)?;
    let interface = u32_at(fixed, INTERFACE_AT)?;
    let is_apart = ![0, LOOPBACK].contains(&interface) && !is_link_local(addr);
    Some(Listener { addr, inode: inode.into(), uid, v6_only: is_v6_only(attributes), is_apart })
}

fn is_link_local(addr: SocketAddr) -> bool {
    matches!(addr, SocketAddr::V6(addr) if addr.ip().is_unicast_link_local())
}

/// The same of one that does not listen, with its port.
fn occupant(body: &[u8]) -> Option<(u16, Occupant)> {
    let fixed = body.get(..ANSWER_BYTES)?;
    let (own, peer) = (address(fixed, 4, 8)?, address(fixed, 6, 24)?);
    let inode = u64::from(u32_at(fixed, ANSWER_BYTES - 4)?);
    let usage = match fixed[1] {
        CLOSE | BOUND => Usage::Bound,
        _ if inode == 0 => Usage::Ending,
        _ => Usage::Connected,
    };
    Some((own.port(), Occupant { usage, inode, peer }))
}

/// An address of `struct inet_diag_msg`, of the family that it has first.
fn address(fixed: &[u8], port_at: usize, ip_at: usize) -> Option<SocketAddr> {
    let port = u16::from_be_bytes(fixed.get(port_at..port_at + 2)?.try_into().ok()?);
    let ip = match i32::from(fixed[0]) {
        libc::AF_INET => IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(fixed.get(ip_at..ip_at + 4)?).ok()?)),
        libc::AF_INET6 => IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(fixed.get(ip_at..ip_at + 16)?).ok()?)),
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn is_v6_only(attributes: &[u8]) -> bool {
    attribute(attributes, V6_ONLY).is_some_and(|value| value.first().is_some_and(|byte| *byte != 0))
}

/// The value of an attribute, as far as it is there.
fn attribute(mut attributes: &[u8], wanted: u16) -> Option<&[u8]> {
    while let (Some(length), Some(kind)) = (u16_at(attributes, 0), u16_at(attributes, 2)) {
        if kind == wanted {
            return attributes.get(4..usize::from(length).clamp(4, attributes.len()));
        }
        attributes = attributes.get(usize::from(length.max(4)).next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn is_no_entry(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOENT)
}

/// There is nobody in the kernel who knows about TCP, or nobody who lists sockets at all.
fn is_unsupported(error: &io::Error) -> bool {
    is_no_entry(error) || error.raw_os_error() == Some(libc::EOPNOTSUPP)
}

fn malformed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the kernel's answer about sockets cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Kernel {
        /// Asks without reading the answer.
        pub(in crate::sys::diag) fn ask_and_forget(&self, addr: SocketAddr) {
            let id = Id { ip: addr.ip(), port: addr.port(), interface: 0 };
            self.ask(|sequence| id.exactly(sequence)).unwrap();
        }
    }

    /// A message whose header is not to be trusted.
    fn message(length: u32, kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0, 0]);
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes
    }

    #[test]
    fn an_answer_that_is_not_whole_ends_the_reading() {
        assert_eq!(messages(&[]).count(), 0);
        assert_eq!(messages(&[1, 2, 3]).count(), 0);
        for length in [0, 1, 15, 21, 1000, u32::MAX] {
            assert_eq!(messages(&message(length, 20, 1, &[0; 4])).count(), 0, "{length}");
        }
        assert_eq!(messages(&message(16, 20, 1, &[])).count(), 1);
        let two = [message(18, 20, 7, &[1, 2, 0, 0]), message(20, 3, 8, &[0; 4])].concat();
        assert_eq!(messages(&two).map(|message| message.sequence).collect::<Vec<_>>(), [7, 8]);
    }

    #[test]
    fn errors_are_those_of_the_kernel() {
        let denied = message(20, libc::NLMSG_ERROR as u16, 1, &(-libc::EPERM).to_ne_bytes());
        let error = messages(&denied).next().unwrap().check().unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        let failed = message(20, libc::NLMSG_DONE as u16, 1, &(-libc::EINVAL).to_ne_bytes());
        assert!(messages(&failed).next().unwrap().check().is_err());
        let done = message(20, libc::NLMSG_DONE as u16, 1, &0_i32.to_ne_bytes());
        assert!(messages(&done).next().unwrap().check().is_ok());
        assert!(messages(&message(16, 99, 1, &[])).next().unwrap().check().is_err());
    }

    #[test]
    fn attributes_may_be_anything() {
        assert!(is_v6_only(&[5, 0, 11, 0, 1, 0, 0, 0]));
        assert!(!is_v6_only(&[5, 0, 11, 0, 0, 0, 0, 0]));
        assert!(is_v6_only(&[5, 0, 8, 0, 1, 0, 0, 0, 5, 0, 11, 0, 1, 0, 0, 0]));
        assert!(!is_v6_only(&[0, 0, 0, 0, 0, 0, 0, 0]));
        assert!(!is_v6_only(&[255, 255, 8, 0]));
        assert!(!is_v6_only(&[5, 0, 11, 0]));
    }

    #[test]
    fn a_short_answer_is_no_listener() {
        for length in 0..ANSWER_BYTES {
            let body = vec![2; length];
            assert_eq!(listener(&body), None);
            assert_eq!(occupant(&body), None);
        }
    }
}
