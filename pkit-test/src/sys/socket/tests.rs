#![cfg(target_os = "linux")]

use std::io::{ErrorKind, Read};
use std::net::TcpListener;

use super::*;
use crate::sys::wait::eventually;

fn name(test: &str) -> String {
    format!("pkit-test-unit-{}-{test}", std::process::id())
}

#[test]
fn a_name_is_held_once_and_as_long_as_a_copy_lives() {
    let name = name("once");
    let hold = hold_name(&name).unwrap();
    let copy = hold.try_clone().unwrap();
    assert_eq!(hold_name(&name).unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(hold);
    assert_eq!(hold_name(&name).unwrap_err().kind(), ErrorKind::AddrInUse);
    drop(copy);
    eventually(|| hold_name(&name).is_ok());
}

#[test]
fn what_is_held_along_with_a_name_lives_as_long_as_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let hold = hold_name(&name("along")).unwrap();
    hold_along(&hold, &OwnedFd::from(listener)).unwrap();
    TcpStream::connect(addr).unwrap();
    drop(hold);
    eventually(|| TcpStream::connect(addr).is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused));
}

#[test]
fn nothing_survives_an_exec() {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    let sockets: [OwnedFd; 4] = [
        hold_name(&name("exec")).unwrap(),
        bind_shared("127.0.0.1:0".parse().unwrap()).unwrap(),
        bind_exclusively("[::]:0".parse().unwrap()).unwrap(),
        begin_connect(addr).unwrap().into(),
    ];
    for socket in sockets {
        assert_eq!(fcntl(&socket, FcntlArg::F_GETFD).unwrap(), FdFlag::FD_CLOEXEC.bits());
    }
}

#[test]
fn a_listener_takes_its_port_from_both_kinds_of_bind() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut addr = listener.local_addr().unwrap();
    for ip in ["127.0.0.1", "0.0.0.0"] {
        addr.set_ip(ip.parse().unwrap());
        assert_eq!(bind_shared(addr).unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(bind_exclusively(addr).unwrap_err().kind(), ErrorKind::AddrInUse);
    }
}

#[test]
fn a_shared_bind_leaves_the_port_to_a_server() {
    let hold = bind_exclusively("0.0.0.0:0".parse().unwrap()).unwrap();
    share(&hold).unwrap();
    let bound: nix::sys::socket::SockaddrIn = nix::sys::socket::getsockname(hold.as_raw_fd()).unwrap();
    // The standard library sets SO_REUSEADDR, like nearly every server.
    drop(TcpListener::bind(("127.0.0.1", bound.port())).unwrap());
    // Both families at once. Many containers have no `::1`.
    eventually(|| TcpListener::bind(("::", bound.port())).is_ok());
}

#[test]
fn a_connection_that_was_begun_is_done_when_it_can_be_written_to() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let stream = begin_connect(listener.local_addr().unwrap()).unwrap();
    assert!(wait_until_ready(&stream, Wish::Write, Duration::from_secs(5)).unwrap());
    assert!(stream.take_error().unwrap().is_none());
    assert!(!wait_until_ready(&stream, Wish::Read, Duration::ZERO).unwrap());
    let mut server = listener.accept().unwrap().0;
    abort(stream);
    assert_eq!(server.read(&mut [0]).unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[test]
fn the_range_of_the_kernel_is_known() {
    let range = ephemeral_ports().unwrap();
    let given = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    assert!(range.contains(&given), "{range:?} {given}");
}
