//! Ports of other users, and servers that run as one.

use std::fs::{self, Permissions};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::thread;

use nix::unistd::Uid;
use pkit_test::http;
use pkit_test_tests::left_out;

use super::stranger::liar_at;
use crate::child::{child, too_late, wait_until, writes};
use crate::nested::victim;
use crate::text::normalised;

fn is_root() -> bool {
    let is_root = Uid::effective().is_root();
    if !is_root {
        left_out::because("only root can be two users");
    }
    is_root
}

#[test]
fn a_server_of_another_user_is_ours() {
    if !is_root() {
        return;
    }
    let slow = child("slow");
    let server = http(slow.with("0 {port}"), "/").user("nobody").start().unwrap();
    assert!(TcpStream::connect(server.addr()).is_ok());
}

#[test]
fn a_stranger_who_is_that_user_is_none() {
    if !is_root() {
        return;
    }
    let (liar, sleeper) = (child("liar"), child("sleeper"));
    let theirs = liar_at(&liar, "hide listen:{addr} serve").user("nobody").start().unwrap();
    let error = too_late(http(sleeper.with(""), theirs.url("/")).user("nobody"), writes("^sleeper$"));
    let text = normalised(&error.to_string());
    assert!(text.contains("belongs to somebody else: `CHILDREN/liar "), "{text}");
}

#[test]
fn whom_one_may_not_look_at_is_said_to_be_so() {
    if !is_root() {
        return;
    }
    let theirs = TcpListener::bind("127.0.0.1:0").unwrap();
    let answers = thread::spawn({
        let theirs = theirs.try_clone().unwrap();
        move || pkit_test_tests::child::serve_one(&theirs.accept().unwrap().0, &|_| (200, "ok".to_owned()))
    });
    let victim = victim("ports::looks_at_what_it_may_not_see").with("slow").with("sleeper").with("liar");
    // A copy that becomes root, whoever runs it.
    let setuid = child("slow");
    fs::set_permissions(setuid.path(), Permissions::from_mode(0o4755)).unwrap();
    let victim = victim.env("PKIT_TEST_CHILD_setuid", &setuid.path().display().to_string());
    let victim = victim.env("THEIRS", &theirs.local_addr().unwrap().port().to_string());
    let ended = victim.run_as_nobody();
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    victim.is_gone(&ended);
    let text = normalised(&ended.stdout);
    for part in [
        "taken: `slow` was not started: port PORT is taken by a process of `USER` that we may not look at, or the kernel",
        "foreign: `sleeper` was not ready after 1.5 s: its port is somebody else's",
        "127.0.0.1:PORT belongs to somebody else: a process of `USER` that we may not look at",
        "unknown: `liar` was not ready after 1.5 s: its port is somebody else's",
        "127.0.0.1:PORT was served before the start, by a process that we may not look at",
    ] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    answers.join().unwrap().unwrap();
}

#[test]
fn a_socket_of_one_whom_one_may_not_look_at_is_not_ours() {
    if !is_root() {
        return;
    }
    let victim = victim("ports::waits_for_a_socket_that_somebody_unseen_has");
    let (started, socket) = (victim.file("started"), victim.file("socket"));
    let victim = victim.env("STARTED", &started.display().to_string());
    let victim = victim.env("SOCKET", &socket.display().to_string());
    let bound = victim.file("bound");
    let victim = victim.env("BOUND", &bound.display().to_string());
    victim.open_to_all();
    let ended = thread::scope(|threads| {
        let ended = threads.spawn(|| victim.run_as_nobody());
        wait_until(|| started.exists());
        let _theirs = UnixListener::bind(&socket).unwrap();
        fs::write(&bound, "").unwrap();
        ended.join().unwrap()
    });
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    victim.is_gone(&ended);
    let text = normalised(&ended.stdout);
    for part in ["its socket is somebody else's", "it belongs to somebody else, a process that we may not look at"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}
