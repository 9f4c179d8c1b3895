//! Ports that somebody has.

use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use pkit_test::{Spec, http, orchestra, tcp};

use super::check::{check, check_stack};
use crate::child::{Child, child};

const SOON: Duration = Duration::from_millis(500);

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
            at(&slow, port).start_timeout(SOON),
            expect![[r#"
                `slow` was not started: port PORT is held by another test of this process
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
        `in_it` was not started: port PORT is that of `one`, of the same stack
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
        `two` was not started: port PORT is that of `in_it`, of the same stack
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
    check(
        proxy.clone().start_timeout(SOON),
        expect![[r#"
        `sleeper` was not ready after 500ms: its port is somebody else's
          spec:   http("'CHILDREN/sleeper'", "http://127.0.0.1:PORT/")   tests/it/errors/port.rs
          ran:    CHILDREN/sleeper   pid N, in N ms
          probe:  GET http://127.0.0.1:PORT/: 127.0.0.1:PORT belongs to somebody else: `CHILDREN/slow 0 PORT` (pid N), N tries
          stdout: sleeper"#]],
    );
    assert!(proxy.any_owner().start().unwrap().is_alive());
}
