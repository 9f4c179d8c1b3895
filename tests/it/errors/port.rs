//! Ports that somebody has.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::channel;
use std::thread;

use expect_test::expect;
use nix::sched::{CloneFlags, unshare};
use pkit_test::{Spec, http, orchestra, tcp};

use super::check::{check, check_late, check_stack};
use crate::child::{Child, ENOUGH, child, writes};

fn at(slow: &Child, port: u16) -> Spec {
    tcp(slow.with("0 {port}"), port)
}

#[test]
fn a_port_that_somebody_listens_on_is_said_with_the_owner() {
    let slow = child("slow");
    for address in ["127.0.0.1:0", "0.0.0.0:0", "[::]:0"] {
        let listener = TcpListener::bind(address).unwrap();
        let error = at(&slow, listener.local_addr().unwrap().port()).start().unwrap_err();
        assert!(error.is_port_taken(), "{address}: {error}");
        assert!(error.to_string().contains(&format!("is taken by pid {}: ", std::process::id())), "{error}");
    }
}

#[test]
fn a_port_of_another_test_is_waited_for() {
    let slow = child("slow");
    let first = at(&slow, 0).start().unwrap();
    let port = first.port();
    assert!(
        check(
            at(&slow, port).start_timeout(ENOUGH),
            expect![[r#"
                `slow` was not started: port PORT is held by another test of this process, or this one
                  spec:   tcp("'CHILDREN/slow' 0 {port}", PORT)   tests/it/errors/port.rs"#]]
        )
        .is_port_taken()
    );
    let second = thread::scope(|scope| {
        let second = scope.spawn(|| at(&slow, port).start());
        drop(first);
        second.join().unwrap()
    });
    assert!(TcpStream::connect(second.unwrap().addr()).is_ok());
}

#[test]
fn a_port_is_ours_again_at_once() {
    let slow = child("slow");
    let port = at(&slow, 0).start().unwrap().port();
    for _ in 0..10 {
        let server = at(&slow, port).start().unwrap();
        assert!(TcpStream::connect(server.addr()).is_ok(), "a closed connection is no owner");
    }
}

#[test]
fn two_of_one_stack_cannot_have_one_port() {
    let slow = child("slow");
    let port = at(&slow, 0).start().unwrap().port();
    let stack = orchestra().with("one", at(&slow, port)).with("two", at(&slow, port));
    assert!(
        check_stack(
            stack,
            expect![[r#"
        `two` was not started: port PORT is that of `one`, of the same stack
          spec:   tcp("'CHILDREN/slow' 0 {port}", PORT)   tests/it/errors/port.rs"#]]
        )
        .is_port_taken()
    );
    assert_eq!(slow.count(), 0);
}

#[test]
fn nor_can_one_of_a_stack_in_it() {
    let slow = child("slow");
    let port = at(&slow, 0).start().unwrap().port();
    let inner = orchestra().with("in_it", at(&slow, port));
    let stack = orchestra().with("one", at(&slow, port)).with("two", inner);
    assert!(
        check_stack(
            stack,
            expect![[r#"
        `two.in_it` was not started: port PORT is that of `one`, of the same stack
          spec:   tcp("'CHILDREN/slow' 0 {port}", PORT)   tests/it/errors/port.rs"#]]
        )
        .is_port_taken()
    );
    let inner = orchestra().with("in_it", at(&slow, port));
    let stack = orchestra().with("one", inner).with("two", at(&slow, port));
    assert!(
        check_stack(
            stack,
            expect![[r#"
        `two` was not started: port PORT is that of `one.in_it`, of the same stack
          spec:   tcp("'CHILDREN/slow' 0 {port}", PORT)   tests/it/errors/port.rs"#]]
        )
        .is_port_taken()
    );
    assert_eq!(slow.count(), 0);
}

#[test]
fn a_url_elsewhere_is_asked_wherever_it_is() {
    let (slow, sleeper) = (child("slow"), child("sleeper"));
    let server = at(&slow, 0).start().unwrap();
    let proxy = http(sleeper.with(""), server.url("/"));
    check_late(
        proxy.clone(),
        writes("^sleeper$"),
        expect![[r#"
            `sleeper` was not ready after 1.5 s: its port is somebody else's
              spec:   http("'CHILDREN/sleeper'", "http://127.0.0.1:PORT/")   tests/it/errors/port.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              probe:  GET http://127.0.0.1:PORT/: 127.0.0.1:PORT belongs to somebody else: `CHILDREN/slow 0 PORT` (pid N), N tries
              stdout: sleeper"#]],
    );
    assert!(proxy.any_owner().start().unwrap().is_alive());
}

/// A web server whose descriptors nobody can see: they are not those of its process.
struct Hidden {
    address: SocketAddr,
    thread: Option<thread::JoinHandle<()>>,
}

impl Hidden {
    fn new() -> Hidden {
        let (tell, told) = channel();
        let thread = thread::spawn(move || {
            unshare(CloneFlags::CLONE_FILES).unwrap();
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            for mut client in listener.incoming().flatten() {
                let mut request = [0; 1024];
                let length = client.read(&mut request).unwrap();
                client.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").unwrap();
                if request[..length].starts_with(b"STOP") {
                    return;
                }
            }
        });
        Hidden { address: told.recv().unwrap(), thread: Some(thread) }
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        TcpStream::connect(self.address).unwrap().write_all(b"STOP").unwrap();
        self.thread.take().unwrap().join().unwrap();
    }
}

#[test]
fn a_listener_that_was_there_before_is_believed_only_where_anybody_may_be() {
    let (sleeper, hidden) = (child("sleeper"), Hidden::new());
    let spec = http(sleeper.with(""), format!("http://{}/", hidden.address));
    check_late(
        spec.clone(),
        writes("^sleeper$"),
        expect![[r#"
            `sleeper` was not ready after 1.5 s: its port is somebody else's
              spec:   http("'CHILDREN/sleeper'", "http://127.0.0.1:PORT/")   tests/it/errors/port.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              probe:  GET http://127.0.0.1:PORT/: 127.0.0.1:PORT belongs to somebody else: a process of `USER` that we may not look at, N tries
              stdout: sleeper"#]],
    );
    assert!(spec.any_owner().start().unwrap().is_alive());
}
