//! Where a server is asked: families of addresses, names, and others at the same port.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::AsRawFd as _;

use expect_test::{Expect, expect};
use nix::sys::socket::{self, AddressFamily, Backlog, SockFlag, SockType, SockaddrStorage, setsockopt, sockopt};
use pkit_test::ready::{Http, Tcp};
use pkit_test::{Process, Spec, http, sh, tcp};
use pkit_test_tests::left_out;

use crate::child::{ENOUGH, HANG, answers, child, has_answered, too_late, wait_until, writes};
use crate::text::normalised;

/// Whether this machine has IPv6. A test that cannot run says so.
fn has_ipv6() -> bool {
    let has_it = TcpListener::bind("[::1]:0").is_ok();
    if !has_it {
        left_out::because("this machine has no IPv6");
    }
    has_it
}

#[track_caller]
fn fails(spec: Spec, comes_so_far: impl FnOnce(&Process), expected: Expect) {
    let error = too_late(spec, comes_so_far);
    expected.assert_eq(&normalised(&error.to_string()));
}

/// Until it listens on its port at another address than its own.
fn listens_at(address: impl Into<IpAddr>) -> impl Fn(&Process) {
    let address = address.into();
    move |process| wait_until(|| TcpStream::connect((address, process.port())).is_ok())
}

/// That it listens there on the other family as well is no news to whoever wonders about its answers.
#[test]
fn the_same_port_of_another_family_is_no_other_place() {
    if !has_ipv6() {
        return;
    }
    let server = child("http_vice");
    let both = sh(format!("{} & exec {}", server.with("v6 {port}"), server.with("group {port} --host 127.0.0.1")));
    let probe = Http::get("/").statuses([204]).statuses(300..400);
    let error = too_late(Spec::new(both).ready(probe), answers).to_string();
    assert!(error.contains("/: 200 OK instead of 204 or 300 to 399, "), "{error}");
    assert!(!error.contains("serves:"), "{error}");
}

#[test]
fn one_that_listens_on_the_other_family_is_told() {
    if !has_ipv6() {
        return;
    }
    let server = child("http_vice");
    for spec in [http(server.with("v6 {port}"), "/"), tcp(server.with("v6 {port}"), 0)] {
        let question = if format!("{spec:?}").starts_with("http") { "GET http" } else { "tcp" };
        let error = normalised(&too_late(spec, listens_at(Ipv6Addr::LOCALHOST)).to_string());
        assert!(error.contains(&format!("\n  probe:  {question}")), "{error}");
        assert!(error.contains(": connection refused, N tries\n  serves: [::]:PORT\n"), "{error}");
    }
    fails(
        http(server.with("group {port} --host 127.0.0.1"), "/").host("::1"),
        listens_at(Ipv4Addr::LOCALHOST),
        expect![[r#"
            `http_vice` was not ready after 1.5 s
              spec:   http("'CHILDREN/http_vice' group {port} --host 127.0.0.1", "/")   tests/it/http/addresses.rs
              ran:    CHILDREN/http_vice group PORT --host 127.0.0.1   pid N, in N ms
              probe:  GET http://[::1]:PORT/: connection refused, N tries
              serves: 127.0.0.1:PORT
              output: none"#]],
    );
    fails(
        tcp(server.with("group {port} --host 127.0.0.1"), 0).host("::1"),
        listens_at(Ipv4Addr::LOCALHOST),
        expect![[r#"
            `http_vice` was not ready after 1.5 s
              spec:   tcp("'CHILDREN/http_vice' group {port} --host 127.0.0.1", 0)   tests/it/http/addresses.rs
              ran:    CHILDREN/http_vice group PORT --host 127.0.0.1   pid N, in N ms
              probe:  tcp [::1]:PORT: connection refused, N tries
              serves: 127.0.0.1:PORT
              output: none"#]],
    );
}

#[test]
fn both_families_are_asked_where_they_are_said() {
    if !has_ipv6() {
        return;
    }
    let server = child("http_vice");
    for listen in ["::1", "::"] {
        let command = server.with(&format!("group {{port}} --host {listen}"));
        http(&command, "/").host("::1").start().unwrap();
        tcp(&command, 0).host("::1").start().unwrap();
        http(&command, "http://[::1]:{port}/").start().unwrap();
    }
    // What listens on all of IPv6 answers IPv4 as well, unless it says otherwise.
    http(server.with("group {port} --host ::"), "/").start().unwrap();
    tcp(server.with("group {port} --host ::"), 0).start().unwrap();
    http(server.with("v6 {port}"), "/").host("::1").start().unwrap();
}

#[test]
fn localhost_is_both() {
    let server = child("http_vice");
    let at = |host: &str| http(server.with(&format!("group {{port}} --host {host}")), "http://localhost:{port}/health");
    at("127.0.0.1").start().unwrap();
    at("0.0.0.0").start().unwrap();
    if has_ipv6() {
        at("::1").start().unwrap();
        fails(
            http(server.with("closes {port} --host ::1"), "http://LocalHost:{port}/"),
            |process| has_answered((Ipv6Addr::LOCALHOST, process.port())),
            expect![[r#"
                `http_vice` was not ready after 1.5 s
                  spec:   http("'CHILDREN/http_vice' closes {port} --host ::1", "http://LocalHost:{port}/")   tests/it/http/addresses.rs
                  ran:    CHILDREN/http_vice closes PORT --host ::1   pid N, in N ms
                  probe:  GET http://LocalHost:PORT/: 127.0.0.1:PORT: connection refused; [::1]:PORT: closed the connection without an answer, N tries
                  output: none"#]],
        );
    }
    fails(
        http(child("sleeper").with(""), "http://localhost:{port}/"),
        writes("^sleeper$"),
        expect![[r#"
            `sleeper` was not ready after 1.5 s
              spec:   http("'CHILDREN/sleeper'", "http://localhost:{port}/")   tests/it/http/addresses.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              probe:  GET http://localhost:PORT/: connection refused, N tries
              stdout: sleeper"#]],
    );
}

#[test]
fn what_answers_otherwise_at_its_address_is_not_said_to_be_elsewhere() {
    let server = child("http_vice");
    fails(
        http(server.with("closes {port} --host 0.0.0.0"), "/"),
        answers,
        expect![[r#"
            `http_vice` was not ready after 1.5 s
              spec:   http("'CHILDREN/http_vice' closes {port} --host 0.0.0.0", "/")   tests/it/http/addresses.rs
              ran:    CHILDREN/http_vice closes PORT --host 0.0.0.0   pid N, in N ms
              probe:  GET http://127.0.0.1:PORT/: closed the connection without an answer, N tries
              output: none"#]],
    );
}

/// An address of this machine that others know it by, if it has one.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent.
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[test]
fn a_stranger_at_another_address_of_this_machine_is_not_asked() {
    let Some(own) = own_address() else { return left_out::because("this machine has no address but the loopback") };
    let server = child("http_vice");
    http(server.with("group {port} --host 0.0.0.0"), format!("http://{own}:{{port}}/")).start().unwrap();
    let stranger = http(server.with("group {port} --host 0.0.0.0"), "/").start().unwrap();
    let url = format!("http://{own}:{}/", stranger.port());
    let sleeper = child("sleeper");
    let spec = || http(sleeper.with(""), &url);
    let error = too_late(spec(), writes("^sleeper$"));
    assert!(error.is_port_taken(), "{error}");
    spec().any_owner().start_timeout(HANG).start().unwrap();
}

/// A listener that shares the port with others who say so.
fn beside(port: u16) -> TcpListener {
    let socket = socket::socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    setsockopt(&socket, sockopt::ReusePort, &true).unwrap();
    let addr = SockaddrStorage::from(std::net::SocketAddr::from(([127, 0, 0, 1], port)));
    socket::bind(socket.as_raw_fd(), &addr).unwrap();
    socket::listen(&socket, Backlog::new(16).unwrap()).unwrap();
    socket.into()
}

#[test]
fn a_stranger_beside_it_is_not_asked() {
    let server = child("http_vice");
    for probe in [Http::get("/").into(), pkit_test::ready::Ready::from(Tcp::any())] {
        let spec = || Spec::new(server.with("group {port}")).ready(probe.clone()).start_timeout(ENOUGH);
        let process = spec().spawn().unwrap();
        let stranger = beside(process.port());
        let error = process.wait_ready().unwrap_err();
        assert!(error.is_port_taken(), "{error}");
        let text = normalised(&error.to_string());
        assert!(text.contains("127.0.0.1:PORT belongs to somebody else: `THIS TEST` (pid N), N tries\n"), "{text}");
        drop((stranger, process));

        let process = spec().start_timeout(HANG).spawn().unwrap();
        let stranger = beside(process.port());
        std::thread::scope(|scope| {
            let ready = scope.spawn(|| process.wait_ready());
            drop(stranger);
            ready.join().unwrap().unwrap();
        });
    }
}
