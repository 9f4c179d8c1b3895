//! Starting again: on the same ports, in the same directory.

use std::fs;
use std::net::TcpStream;

use expect_test::{Expect, expect};
use pkit_test::{Process, Restart, Spec, output, simple, tcp};

use crate::child::{HANG, child};
use crate::text::normalised;

#[test]
fn it_starts_again_on_the_same_ports_and_in_the_same_directory() {
    let slow = child("slow");
    let server = tcp(slow.with("0 {port}"), 0).port("peer").env("DIR", "{dir}").start().unwrap();
    let before = (server.port(), server.port_of("peer"), server.dir().to_owned());
    fs::write(server.dir().join("state"), "kept").unwrap();
    server.stop().unwrap();
    assert!(TcpStream::connect(server.addr()).is_err());
    server.start().unwrap();
    assert!(TcpStream::connect(server.addr()).is_ok());
    assert_eq!((server.port(), server.port_of("peer"), server.dir().to_owned()), before);
    assert_eq!(fs::read_to_string(server.dir().join("state")).unwrap(), "kept");
}

#[test]
fn it_does_not_start_while_it_runs() {
    let sleeper = child("sleeper");
    let process = simple(sleeper.with("")).start().unwrap();
    let error = process.start().unwrap_err();
    assert!(error.is_state());
    expect![[r#"
        `sleeper` was not started: it runs already
          ran:    CHILDREN/sleeper   pid N
          hint:   `stop` it first, or `restart` it"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert!(process.is_alive());
}

#[test]
fn each_restart_is_counted_and_is_another_process() {
    let sleeper = child("sleeper");
    let process = output(sleeper.with(""), "sleeper").start().unwrap();
    let mut pids = vec![process.pid().unwrap()];
    for (how, signal) in [(Restart::Graceful, 15), (Restart::Forced, 9)] {
        process.restart(how).unwrap();
        assert_eq!(process.exit().and_then(|exit| exit.signal()), Some(signal), "the last exit is still known");
        pids.push(process.pid().unwrap());
    }
    process.kill().unwrap();
    process.restart(Restart::Graceful).unwrap();
    pids.push(process.pid().unwrap());
    assert_eq!(process.restarts(), 3);
    pids.sort_unstable();
    pids.dedup();
    assert_eq!((pids.len(), sleeper.count()), (4, 1));
}

#[test]
fn the_output_is_that_of_the_current_run() {
    let exits = child("exits");
    let process = simple(exits.with("1 --say one")).start().unwrap();
    process.wait().unwrap();
    let first = process.log_path();
    process.replace(simple(exits.with("2 --say two"))).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(2));
    assert_eq!(process.stderr(), "two\n");
    assert_ne!(process.log_path(), first);
}

#[test]
fn a_start_that_fails_leaves_a_handle_that_can_try_again() {
    let exits = child("exits");
    let flag = exits.file("flag");
    let script = format!("test -e {} || exec {}; exec sleep 60", flag.display(), exits.with("5 --say 'not yet'"));
    let process = simple("sleep 60").start().unwrap();
    process.replace(simple("true")).unwrap();
    process.wait().unwrap();
    let spec = output(pkit_test::sh(format!("echo hello; {script}")), "never");
    let error = process.replace(spec).unwrap_err();
    assert_eq!(error.exit().and_then(|exit| exit.code()), Some(5));
    assert_eq!((process.pid(), process.exit().and_then(|exit| exit.code())), (None, Some(5)));
    process.replace(simple(pkit_test::sh(script))).unwrap();
    process.wait_for_output("not yet", HANG).unwrap();
    process.wait().unwrap();
    fs::write(flag, "").unwrap();
    process.start().unwrap();
    assert!(process.is_alive());
}

#[test]
fn replace_keeps_the_port() {
    let slow = child("slow");
    let server = tcp(slow.with("0 {port}"), 0).start().unwrap();
    let port = server.port();
    server.replace(tcp(slow.with("5 {port} --ok /new"), 0)).unwrap();
    assert_eq!(server.port(), port);
    server.replace(tcp(slow.with("5 {port} --ok /newer"), port)).unwrap();
    assert_eq!(server.restarts(), 2);
}

#[test]
fn replace_refuses_what_cannot_be_changed() {
    let slow = child("slow");
    let server = tcp(slow.with("0 {port}"), 0).start().unwrap();
    let spec = |port| tcp(slow.with("0 {port}"), port);
    check_refused(
        &server,
        spec(0).port("peer"),
        expect![[r#"
        `slow` was not replaced: the new spec wants the port `peer`, and none was reserved
          spec:   tcp("'CHILDREN/slow' 0 {port}", 0)   tests/it/handle/again.rs"#]],
    );
    check_refused(
        &server,
        spec(1),
        expect![[r#"
        `slow` was not replaced: the new spec wants port 1, and PORT was reserved
          spec:   tcp("'CHILDREN/slow' 0 {port}", 1)   tests/it/handle/again.rs"#]],
    );
    check_refused(
        &server,
        spec(0).host("::1"),
        expect![[r#"
        `slow` was not replaced: the new spec wants the host ::1
          spec:   tcp("'CHILDREN/slow' 0 {port}", 0)   tests/it/handle/again.rs"#]],
    );
    check_refused(
        &server,
        spec(0).user("nobody"),
        expect![[r#"
        `slow` was not replaced: the new spec wants to run as nobody
          spec:   tcp("'CHILDREN/slow' 0 {port}", 0)   tests/it/handle/again.rs"#]],
    );
    check_refused(
        &server,
        simple("echo 'open"),
        expect![[r#"
        `slow` was not started: the quote that opens at column 6 of `echo 'open` is never closed: `'open`
          spec:   simple("echo 'open")   tests/it/handle/again.rs"#]],
    );
    let process = simple("sleep 60").start().unwrap();
    check_refused(
        &process,
        spec(0),
        expect![[r#"
        `sleep` was not replaced: the new spec wants a port, and none was reserved
          spec:   tcp("'CHILDREN/slow' 0 {port}", 0)   tests/it/handle/again.rs"#]],
    );
}

#[track_caller]
fn check_refused(process: &Process, spec: Spec, expected: Expect) {
    let error = process.replace(spec).unwrap_err();
    expected.assert_eq(&normalised(&error.to_string()));
    assert!(error.is_spec() && process.is_alive(), "what cannot be replaced goes on");
}
