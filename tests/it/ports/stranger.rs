//! What strangers do to a port: listen, join, bind, connect from it, and leave something behind.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::Duration;

use expect_test::{Expect, expect};
use pkit_test::ready::Output;
use pkit_test::{Process, Spec, http, simple, tcp};
use pkit_test_tests::left_out;

use crate::child::{Child, ENOUGH, HANG, child, wait_until};
use crate::text::normalised;

/// A liar on any port, whose record nobody reads.
pub(super) fn liar_at(liar: &Child, steps: &str) -> Spec {
    tcp(liar.with(&format!("/dev/null {steps}")), 0)
}

/// The same on a port that is given, and of which nobody asks whether it listens.
fn guest(liar: &Child, steps: &str, addr: SocketAddr) -> Process {
    let steps = steps.replace("{addr}", &addr.to_string());
    let command = liar.with(&format!("/dev/null {steps} say:up"));
    simple(command).ready(Output::any("^up$")).start().unwrap()
}

/// A server on a fixed port that cannot be had.
#[track_caller]
fn fails(spec: Spec, port: u16, expected: Expect) {
    let error = spec.start().unwrap_err();
    let text = normalised(&error.to_string()).replace(&port.to_string(), "PORT");
    expected.assert_eq(&text);
}

fn fixed(liar: &Child, steps: &str, port: u16) -> Spec {
    tcp(liar.with(&format!("/dev/null {steps}")), port)
}

/// A port that was free a moment ago.
fn free_port(liar: &Child) -> u16 {
    liar_at(liar, "listen:{addr}").start().unwrap().port()
}

/// Ends a connection so that the server's side of it stays in `TIME_WAIT`.
fn leave_time_wait(port: u16) {
    let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    drop(listener.accept().unwrap().0);
    client.read_exact(&mut [0]).unwrap_err();
}

/// Whether the kernel is one that lists sockets that do not listen yet.
fn shows_bound() -> bool {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap();
    let mut numbers = release.split(['.', '-']).map_while(|part| part.parse::<u32>().ok());
    (numbers.next(), numbers.next()) >= (Some(6), Some(8))
}

#[test]
fn what_connections_leave_is_named_where_a_server_minds() {
    let liar = child("liar");
    let port = free_port(&liar);
    leave_time_wait(port);
    // One that says SO_REUSEADDR does not mind.
    drop(fixed(&liar, "listen:{addr} serve", port).start().unwrap());
    fails(
        fixed(&liar, "rude:{addr} serve", port),
        port,
        expect![[r#"
        `liar` exited before it was ready
          spec:   tcp("'CHILDREN/liar' /dev/null rude:{addr} serve", PORT)   tests/it/ports/stranger.rs
          ran:    CHILDREN/liar /dev/null rude:127.0.0.1:PORT serve   pid N, in N ms
          exit:   exit code 1
          probe:  tcp 127.0.0.1:PORT: connection refused, N tries
          port:   PORT has connections in TIME_WAIT: a server without SO_REUSEADDR cannot bind it, for up to a minute
          stderr: EADDRINUSE: Address already in use"#]],
    );
}

#[test]
fn so_it_is_at_a_restart() {
    let liar = child("liar");
    let server = liar_at(&liar, "rude:{addr} serve").start().unwrap();
    let mut client = TcpStream::connect(server.addr()).unwrap();
    // It has answered, and so has closed first: one that is killed before it accepts leaves nothing behind.
    client.write_all(b"GET / HTTP/1.0\r\n\r\n").unwrap();
    client.read_to_end(&mut Vec::new()).unwrap();
    drop(client);
    server.kill().unwrap();
    let error = server.start().unwrap_err().to_string();
    assert!(error.contains("has connections in TIME_WAIT: a server without SO_REUSEADDR cannot bind it"), "{error}");
}

#[test]
fn one_that_binds_and_does_not_listen_is_named() {
    if !shows_bound() {
        return left_out::because("the kernel lists no sockets that are only bound (before 6.8)");
    }
    let liar = child("liar");
    let port = free_port(&liar);
    let addr = SocketAddr::from(([127, 0, 0, 1], port));
    let stranger = guest(&liar, "bind:{addr}", addr);
    fails(
        fixed(&liar, "rude:{addr} serve", port),
        port,
        expect![[r#"
        `liar` exited before it was ready
          spec:   tcp("'CHILDREN/liar' /dev/null rude:{addr} serve", PORT)   tests/it/ports/stranger.rs
          ran:    CHILDREN/liar /dev/null rude:127.0.0.1:PORT serve   pid N, in N ms
          exit:   exit code 1
          probe:  tcp 127.0.0.1:PORT: connection refused, N tries
          port:   PORT is bound by `CHILDREN/liar /dev/null bind:127.0.0.1:PORT say:up` (pid N), which does not listen
          stderr: EADDRINUSE: Address already in use"#]],
    );
    drop(stranger);
}

#[test]
fn one_that_connects_from_there_is_named() {
    let liar = child("liar");
    let server = liar_at(&liar, "listen:{addr} serve").start().unwrap();
    // The kernel has chosen the number, as it does for any client.
    let client = TcpStream::connect(server.addr()).unwrap();
    let port = client.local_addr().unwrap().port();
    fails(
        fixed(&liar, "listen:{addr} serve", port),
        port,
        expect![[r#"
            `liar` exited before it was ready
              spec:   tcp("'CHILDREN/liar' /dev/null listen:{addr} serve", PORT)   tests/it/ports/stranger.rs
              ran:    CHILDREN/liar /dev/null listen:127.0.0.1:PORT serve   pid N, in N ms
              exit:   exit code 1
              probe:  tcp 127.0.0.1:PORT: connection refused, N tries
              port:   PORT is the near end of a connection to 127.0.0.1:PORT of `THIS TEST` (pid N)
              stderr: EADDRINUSE: Address already in use"#]],
    );
    drop(client);
}

#[test]
fn one_that_nobody_can_see_is_said_to_be_so() {
    let (liar, stranger) = (child("liar"), child("liar"));
    // As a socket of the kernel it is in the list of no process.
    let port = free_port(&liar);
    let hidden = guest(&stranger, "apart:{addr} wait:1000", SocketAddr::from(([127, 0, 0, 1], port)));
    wait_until(|| TcpStream::connect(("127.0.0.1", port)).is_ok());
    fails(
        fixed(&liar, "listen:{addr}", port),
        port,
        expect![[r#"
        `liar` was not started: port PORT is taken by a process of `USER` that we may not look at, or the kernel
          spec:   tcp("'CHILDREN/liar' /dev/null listen:{addr}", PORT)   tests/it/ports/stranger.rs"#]],
    );
    drop(hidden);
}

#[test]
fn other_protocols_have_ports_of_their_own() {
    let liar = child("liar");
    let port = free_port(&liar);
    let udp = UdpSocket::bind(("127.0.0.1", port)).unwrap();
    assert!(fixed(&liar, "rude:{addr} serve", port).start().is_ok());
    drop(udp);
}

#[test]
fn several_sockets_of_ours_are_ours() {
    let liar = child("liar");
    let server = liar_at(&liar, "group:{addr} group:{addr} fork group:{addr} serve").start().unwrap();
    assert!(TcpStream::connect(server.addr()).is_ok());
}

#[test]
fn a_thread_of_ours_that_keeps_its_descriptors_to_itself_is_ours() {
    let liar = child("liar");
    let server = liar_at(&liar, "apart:{addr}").start().unwrap();
    assert!(TcpStream::connect(server.addr()).is_ok());
}

#[test]
fn a_stranger_among_them_is_named() {
    let (liar, stranger) = (child("liar"), child("liar"));
    let port = free_port(&liar);
    let spec = fixed(&liar, "wait:20000 group:{addr} serve", port);
    let process = spec.start_timeout(ENOUGH).spawn().unwrap();
    let guest = guest(&stranger, "group:{addr} serve", process.addr());
    let error = process.wait_ready().unwrap_err();
    let text = normalised(&error.to_string());
    assert!(text.contains("was not ready after 1.5 s: its port is somebody else's"), "{text}");
    assert!(text.contains("belongs to somebody else: `CHILDREN/liar "), "{text}");
    drop((guest, process));
    // When it has gone there is nothing to complain of.
    assert!(fixed(&liar, "group:{addr} serve", port).start().is_ok());
}

#[test]
fn one_that_comes_while_an_answer_is_waited_for_is_named() {
    let liar = child("liar");
    let go = liar.file("go");
    let command = liar.with(&format!("/dev/null listen:{{addr}} say:up once:{}", go.display()));
    let server = http(command, "/").start_timeout(Duration::from_secs(2)).spawn().unwrap();
    let error = thread::scope(|threads| {
        let ready = threads.spawn(|| server.wait_ready());
        server.wait_for_output("^up$", HANG).unwrap();
        // It has one client, which is the probe, and then listens no more.
        let mut stranger = None;
        wait_until(|| {
            stranger = TcpListener::bind(server.addr()).ok();
            stranger.is_some()
        });
        fs::write(&go, "").unwrap();
        let error = ready.join().unwrap().unwrap_err();
        drop(stranger);
        error
    });
    assert!(error.to_string().contains("its port is somebody else's"), "{error}");
}

#[test]
fn what_was_closed_while_a_line_was_waited_for_is_not_ready() {
    let liar = child("liar");
    let steps = "listen:{addr} serve wait:50000 close say:up wait:60000 listen:{addr} serve";
    for spec in [liar_at(&liar, steps), http(liar.with(&format!("/dev/null {steps}")), "/")] {
        let server = spec.ready(Output::any("^up$")).start().unwrap();
        assert!(TcpStream::connect(server.addr()).is_ok(), "{server:?}");
    }
}

#[test]
fn whoever_serves_for_a_proxy_is_believed_if_anybody_may() {
    let (liar, sleeper) = (child("liar"), child("sleeper"));
    let proxied = tcp(sleeper.with(""), 0).start_timeout(ENOUGH);
    let alone = proxied.clone().spawn().unwrap();
    let outside = guest(&liar, "listen:{addr} serve", alone.addr());
    assert!(alone.wait_ready().unwrap_err().to_string().contains("its port is somebody else's"));
    drop(outside);
    let proxied = proxied.any_owner().start_timeout(HANG).spawn().unwrap();
    let outside = guest(&liar, "listen:{addr} serve", proxied.addr());
    proxied.wait_ready().unwrap();
    drop(outside);
}

#[test]
fn a_stranger_between_two_runs_is_named() {
    let (liar, stranger) = (child("liar"), child("liar"));
    let server = liar_at(&liar, "listen:{addr} serve").start().unwrap();
    server.kill().unwrap();
    let guest = guest(&stranger, "listen:{addr} serve", server.addr());
    let error = server.start().unwrap_err();
    assert!(error.is_port_taken(), "{error}");
    assert!(normalised(&error.to_string()).contains(": CHILDREN/liar "), "{error}");
    drop(guest);
    server.start().unwrap();
}
