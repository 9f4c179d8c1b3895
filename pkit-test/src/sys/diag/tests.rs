#![cfg(target_os = "linux")]

use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::time::Instant;

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, SockaddrIn6, bind, getsockname, listen, setsockopt, socket,
    sockopt,
};

use super::*;
use crate::sys::wait::eventually;

/// Addresses that nobody has in other tests: at 127.0.0.1 somebody else may listen by chance.
const OTHER: &str = "127.9.9.7";
const ANOTHER: &str = "127.9.9.8";

fn diag() -> Diag {
    Diag::open()
}

fn listener(addr: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind(addr).unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

#[test]
fn a_listener_is_seen_from_the_first_moment_to_the_last() {
    let diag = diag();
    let (socket, addr) = listener("127.0.0.1:0");
    assert!(diag.is_listening(addr).unwrap());
    drop(socket);
    eventually(|| !diag.is_listening(addr).unwrap());
}

#[test]
fn each_address_is_asked_for_by_itself() {
    let diag = diag();
    for (bound, asked, expected) in [
        ("127.0.0.1:0", "127.0.0.1", true),
        ("127.0.0.1:0", OTHER, false),
        ("127.0.0.1:0", "::1", false),
        ("127.0.0.1:0", "::ffff:127.0.0.1", true),
        ("127.0.0.1:0", "0.0.0.0", true),
        ("127.0.0.1:0", ANOTHER, false),
        ("0.0.0.0:0", "127.0.0.1", true),
        ("0.0.0.0:0", "::1", false),
        ("[::]:0", "127.0.0.1", true),
        ("[::]:0", "::1", true),
        ("[::1]:0", "::1", true),
        ("[::1]:0", "::", true),
        ("[::1]:0", OTHER, false),
    ] {
        if bound.contains("::1") && TcpListener::bind(bound).is_err() {
            // Many containers have no IPv6.
            continue;
        }
        let (_socket, addr) = listener(bound);
        let asked = SocketAddr::new(asked.parse().unwrap(), addr.port());
        assert_eq!(diag.is_listening(asked).unwrap(), expected, "{bound} asked for {asked}");
        let found = diag.listeners(addr.port()).unwrap();
        assert_eq!(found.iter().any(|found| found.answers(asked)), expected, "{bound} asked for {asked}: {found:?}");
    }
}

/// A listener that is bound to an interface.
fn listener_at(interface: &str) -> nix::Result<(OwnedFd, u16)> {
    let socket = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    setsockopt(&socket, sockopt::BindToDevice, &interface.into())?;
    bind(socket.as_raw_fd(), &SockaddrIn::new(0, 0, 0, 0, 0))?;
    listen(&socket, Backlog::new(1)?)?;
    let port = getsockname::<SockaddrIn>(socket.as_raw_fd())?.port();
    Ok((socket, port))
}

#[test]
fn one_that_is_bound_to_an_interface_answers_who_comes_by_it() {
    let diag = diag();
    let known = std::fs::read_to_string("/proc/thread-self/net/dev").unwrap();
    for interface in known.lines().filter_map(|line| Some(line.split_once(':')?.0.trim())) {
        // It takes a right before Linux 5.7.
        let Ok((_socket, port)) = listener_at(interface) else { continue };
        let asked = SocketAddr::new(OTHER.parse().unwrap(), port);
        assert_eq!(diag.is_listening(asked).unwrap(), interface == "lo", "{interface}");
        let found = diag.listeners(port).unwrap();
        assert_eq!(found.iter().any(|found| found.answers(asked)), interface == "lo", "{interface}: {found:?}");
        assert_eq!(std::net::TcpStream::connect(asked).is_ok(), interface == "lo", "{interface}");
    }
}

#[test]
fn a_list_has_the_listeners_of_one_port() {
    let diag = diag();
    let (v4, addr) = listener("127.9.9.5:0");
    let others = ["127.9.9.6", OTHER].map(|ip| TcpListener::bind((ip, addr.port())).unwrap());
    let (_unrelated, elsewhere) = listener("127.0.0.1:0");
    let found = diag.listeners(addr.port()).unwrap();
    for own in [addr, others[0].local_addr().unwrap(), others[1].local_addr().unwrap()] {
        assert_eq!(found.iter().filter(|found| found.addr == own).count(), 1);
    }
    assert!(!found.iter().any(|found| found.addr == elsewhere));
    let own = found.iter().find(|listener| listener.addr == addr).unwrap();
    assert_eq!(own.uid, nix::unistd::geteuid().as_raw());
    let link = std::fs::read_link(format!("/proc/self/fd/{}", v4.as_raw_fd())).unwrap();
    assert_eq!(link.to_str().unwrap(), format!("socket:[{}]", own.inode));
    drop((v4, others));
    eventually(|| !diag.listeners(addr.port()).unwrap().iter().any(|found| found.addr == addr));
}

#[test]
fn a_connection_is_no_listener() {
    let (socket, addr) = listener("127.0.0.1:0");
    let client = std::net::TcpStream::connect(addr).unwrap();
    let server = socket.accept().unwrap().0;
    drop(socket);
    eventually(|| !diag().listeners(addr.port()).unwrap().iter().any(|found| found.addr == addr));
    assert!(!diag().is_listening(addr).unwrap());
    drop((client, server));
}

#[test]
fn a_list_of_many_parts_is_whole() {
    let diag = diag();
    // An address that no other test uses, because those also say where nobody listens.
    let sockets: Vec<_> = (0..250).map(|_| listener("127.9.9.9:0")).collect();
    let found = diag.all_listeners().unwrap();
    for (_, addr) in &sockets {
        assert!(found.iter().any(|found| found.addr == *addr), "{addr} of {}", found.len());
    }
}

#[test]
fn an_answer_left_behind_is_not_taken_for_the_next() {
    let diag = diag();
    let (_socket, addr) = listener("127.0.0.1:0");
    // The answers to these questions are never read.
    for _ in 0..3 {
        let Diag::Kernel(kernel) = &diag else { return };
        kernel.ask_and_forget(addr);
    }
    let free = { listener("127.0.0.1:0").1 };
    eventually(|| !diag.is_listening(free).unwrap());
    assert!(diag.is_listening(addr).unwrap());
    assert!(diag.listeners(addr.port()).unwrap().iter().any(|found| found.addr == addr));
}

#[test]
fn reachability_is_that_of_the_kernel() {
    let at = |addr: &str, v6_only| Listener { addr: addr.parse().unwrap(), inode: 0, uid: 0, v6_only, is_apart: false };
    for (bound, v6_only, to, expected) in [
        ("[::]:80", false, "127.0.0.1:80", true),
        ("[::]:80", true, "127.0.0.1:80", false),
        ("[::]:80", true, "[::1]:80", true),
        ("[::ffff:127.0.0.1]:80", false, "127.0.0.1:80", true),
        ("[::ffff:0.0.0.0]:80", false, "127.0.0.1:80", true),
        ("[::ffff:0.0.0.0]:80", false, "[::1]:80", false),
        ("0.0.0.0:80", false, "127.0.0.1:81", false),
        ("10.0.0.1:80", false, "127.0.0.1:80", false),
    ] {
        assert_eq!(at(bound, v6_only).answers(to.parse().unwrap()), expected, "{bound} {v6_only} {to}");
    }
}

#[test]
fn v6_only_is_known() {
    let diag = diag();
    for v6_only in [true, false] {
        let v6 = socket(AddressFamily::Inet6, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
        setsockopt(&v6, sockopt::Ipv6V6Only, &v6_only).unwrap();
        bind(v6.as_raw_fd(), &SockaddrIn6::from("[::]:0".parse::<std::net::SocketAddrV6>().unwrap())).unwrap();
        listen(&v6, Backlog::new(1).unwrap()).unwrap();
        let bound: SockaddrIn6 = getsockname(v6.as_raw_fd()).unwrap();
        let mut found = diag.listeners(bound.port()).unwrap();
        found.retain(|found| found.addr.is_ipv6());
        assert_eq!(found.iter().map(|found| found.v6_only).collect::<Vec<_>>(), [v6_only]);
        let local = SocketAddr::new(OTHER.parse().unwrap(), bound.port());
        assert_eq!(diag.is_listening(local).unwrap(), !v6_only);
    }
}

/// Not a limit, but a number to look at: `cargo test -- --nocapture what_a_question_costs`.
#[test]
fn what_a_question_costs() {
    let diag = diag();
    let (_socket, addr) = listener("127.0.0.1:0");
    let began = Instant::now();
    for _ in 0..1000 {
        assert!(diag.is_listening(addr).unwrap());
    }
    let exact = began.elapsed() / 1000;
    let began = Instant::now();
    for _ in 0..1000 {
        assert!(!diag.listeners(addr.port()).unwrap().is_empty());
    }
    println!("exact {exact:?}, list {:?}", began.elapsed() / 1000);
}
