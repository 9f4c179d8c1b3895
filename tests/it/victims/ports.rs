//! Tests that hold ports, and tests in other surroundings.

use std::env;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process;
use std::thread;
use std::time::{Duration, Instant};

use pkit_test::{Process, Result, Spec, http, sh, tcp, unix};
use pkit_test_tests::child::{monotonic_ns, pause};

use super::chosen::{command, is_chosen};
use crate::child::{ENOUGH, HANG, too_late, wait_until, writes};
use crate::race;

fn port(name: &str) -> u16 {
    env::var(name).unwrap().parse().unwrap()
}

fn server(port: u16) -> Spec {
    tcp(command("slow", "0 {port}"), port).start_timeout(HANG)
}

fn held() -> Process {
    let held = server(port("HELD")).start().unwrap();
    fs::write(env::var("STARTED").unwrap(), process::id().to_string()).unwrap();
    held
}

#[test]
fn holds_and_wants() -> Result<()> {
    if !is_chosen() {
        return Ok(());
    }
    let _held = held();
    server(port("WANTED")).start_timeout(ENOUGH).start().map(drop)
}

#[test]
fn holds_for_ever() {
    if !is_chosen() {
        return;
    }
    let _held = held();
    pause();
}

/// Several at a time, while connections take what ports they can get.
#[test]
fn starts_servers() {
    if !is_chosen() {
        return;
    }
    let end = race::end();
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(move || {
                for _ in 0..3 {
                    let server = server(0).start().unwrap();
                    println!("port {}", server.port());
                    let connections: Vec<_> = (0..20).map(|_| TcpStream::connect(server.addr())).collect();
                    // In a range of one port there is room for one of them.
                    assert!(connections.iter().any(Result::is_ok));
                    if Instant::now() >= end {
                        return;
                    }
                }
            });
        }
    });
}

/// The port is free here, whoever has it elsewhere; and then it is held here.
#[test]
fn takes() {
    if !is_chosen() {
        return;
    }
    let held = server(port("HELD")).start().unwrap();
    assert!(TcpStream::connect(held.addr()).is_ok());
    let error = thread::scope(|threads| {
        let other = threads.spawn(|| server(port("HELD")).start_timeout(Duration::from_millis(50)).start());
        other.join().unwrap().unwrap_err()
    });
    println!("{error}");
}

/// Nobody listens: not ready, although a connection to the port would come about, with itself.
#[test]
fn meets_nobody() {
    if !is_chosen() {
        return;
    }
    let only = port("ONLY");
    let itself = TcpStream::connect(("127.0.0.1", only)).unwrap();
    assert_eq!(itself.local_addr().unwrap(), itself.peer_addr().unwrap());
    drop(itself);
    let of_its_own = tcp(command("sleeper", ""), only);
    let at_a_url = http(command("sleeper", ""), format!("http://127.0.0.1:{only}/"));
    for spec in [of_its_own, at_a_url] {
        let error = too_late(spec, writes("^sleeper$"));
        assert!(error.is_timeout() && error.to_string().contains("connection refused"), "{error}");
    }
}

/// Somebody whose descriptors we may not see listens on a fixed port, on the port of a URL, or takes one meanwhile.
#[test]
fn looks_at_what_it_may_not_see() {
    if !is_chosen() {
        return;
    }
    let taken = server(port("THEIRS")).start().unwrap_err();
    println!("taken: {taken}");
    let url = format!("http://127.0.0.1:{}/", port("THEIRS"));
    let foreign = too_late(http(command("sleeper", ""), &url), writes("^sleeper$"));
    println!("foreign: {foreign}");
    // Ours are ours, although nobody may look into them: they were free before.
    let hidden = |steps: &str| tcp(command("liar", &format!("/dev/null {steps}")), 0).start_timeout(HANG);
    let server = hidden("hide listen:{addr} serve").start().unwrap();
    assert!(TcpStream::connect(server.addr()).is_ok());
    let setuid = tcp(command("setuid", "0 {port}"), 0).start_timeout(HANG).start().unwrap();
    assert!(fs::read_dir(format!("/proc/{}/fd", setuid.pid().unwrap())).is_err(), "it has another user");
    // One that cannot be seen, with somebody there before who cannot be seen either: that may be anybody.
    let proxy = http(command("liar", "/dev/null hide say:hidden"), &url);
    let unknown = too_late(proxy.clone(), writes("^hidden$"));
    println!("unknown: {unknown}");
    assert!(proxy.any_owner().start().unwrap().is_alive());
}

/// Somebody whose descriptors we may not see listens at a unix socket that is waited for. The service has children that end all
/// the time: whoever is about to end cannot be looked into, and proves nothing.
#[test]
fn waits_for_a_socket_that_somebody_unseen_has() {
    if !is_chosen() {
        return;
    }
    let of = |name| env::var(name).expect("the test sets it");
    let ends = "while :; do /bin/true; done";
    let service = sh(format!("touch '{}'; {ends} & {ends} & {ends} & {ends} & wait", of("STARTED")));
    let error = too_late(unix(service, of("SOCKET")), |_| wait_until(|| Path::new(&of("BOUND")).exists()));
    println!("foreign: {error}");
}

/// Takes ports as fast as it can, and says from when to when it had which.
#[test]
fn races() {
    if !is_chosen() {
        return;
    }
    let end = race::end();
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(move || {
                // Once at least, however late it begins.
                loop {
                    let servers: Vec<_> = (0..race::random(4) + 1).map(|_| server(0).start().unwrap()).collect();
                    let from = monotonic_ns();
                    assert!(servers.iter().all(|server| TcpStream::connect(server.addr()).is_ok()));
                    let to = monotonic_ns();
                    servers.iter().for_each(|server| println!("held {} {from} {to}", server.port()));
                    if Instant::now() >= end {
                        return;
                    }
                }
            });
        }
    });
}
