//! Tests with isolated processes, to be killed, or to be run as somebody who may do less.

use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::mpsc::channel;
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test::{Isolation, Process, Restart, orchestrated, output, tcp};

use pkit_test_tests::process::children;

use super::chosen::{command, is_chosen};
use crate::isolate::place_of_thread;

#[test]
fn has_daemons_of_all_kinds() {
    if !is_chosen() {
        return;
    }
    let kinds = [("daemon", "", "^daemon"), ("daemon_bare", "", "^daemon"), ("forks", "20 --setsid", "^forked")];
    let kinds = kinds.into_iter().chain([("hopper", "", "^hopping$")]);
    let start =
        |(name, arguments, line)| output(command(name, arguments), line).isolate(Isolation::Pid).start().unwrap();
    let all: Vec<Process> = kinds.map(start).collect();
    println!("up");
    all[0].wait().unwrap();
}

#[test]
fn has_ids_of_its_own() {
    if !is_chosen() {
        return;
    }
    let process = output(command("env_dump", "--stay"), "^end:").isolate(Isolation::Pid).start().unwrap();
    let own = nix::unistd::getuid();
    assert!(
        process.stdout().contains("\nppid: 1\n") && process.stdout().contains(&format!("\nuid: {own}\neuid: {own}\n"))
    );
    let pid = process.pid().unwrap();
    assert!(std::fs::read_link(format!("/proc/{pid}/exe")).unwrap().ends_with("env_dump"));
    let daemon = output(command("daemon", ""), "^daemon").isolate(Isolation::Pid).start().unwrap();
    daemon.stop().unwrap();
}

#[test]
fn has_a_network_of_its_own() {
    if !is_chosen() {
        return;
    }
    // A test beside it, for whom nothing changes.
    let (begin, begun) = channel::<()>();
    let home = place_of_thread();
    let beside = thread::spawn(move || {
        // Nobody says so where the others did not start.
        begun.recv().ok()?;
        let plain = tcp(command("slow", "0 {port}"), 0).start().unwrap();
        assert!(TcpStream::connect(plain.addr()).is_ok() && is_in(&plain, &place_of_thread()));
        Some(place_of_thread())
    });
    let places = [has_a_stack(), has_a_stack()];
    assert!(places[0] != places[1] && !places.contains(&home), "{places:?}");
    begin.send(()).unwrap();
    assert_eq!(beside.join().unwrap().as_ref(), Some(&home));
    // Without root there is no way back: what is started here then is in the last network.
    let plain = tcp(command("slow", "0 {port}"), 0).start().unwrap();
    assert!(TcpStream::connect(plain.addr()).is_ok() && is_in(&plain, &place_of_thread()));
    let has_way_back = nix::unistd::geteuid().is_root() && std::env::var_os("NO_WAY_BACK").is_none();
    assert_eq!(place_of_thread(), if has_way_back { home } else { places[1].clone() });
}

#[test]
fn is_kept() {
    if !is_chosen() {
        return;
    }
    orchestrated([("server", tcp(command("slow", "0 {port}"), 80).isolate(Isolation::Net))], |_| ()).unwrap();
}

#[test]
fn loses_its_guardian() {
    if !is_chosen() {
        return;
    }
    let server = tcp(command("slow", "0 {port}"), 80).port("admin").isolate(Isolation::Net).isolate(Isolation::Pid);
    orchestrated([("server", server.may_exit())], |stack| {
        let (server, place) = (&stack["server"], place_of_thread());
        for _ in 0..3 {
            let [guardian] = children(std::process::id())[..] else { panic!("one child") };
            kill(Pid::from_raw(guardian.try_into().unwrap()), Signal::SIGKILL).unwrap();
            assert!(server.wait().unwrap_err().is_guardian_lost());
            server.start().unwrap();
            assert!(is_in(server, &place) && TcpStream::connect("127.0.0.1:80").is_ok());
        }
    })
    .unwrap();
}

/// The same ports each time. Returns where that was.
fn has_a_stack() -> PathBuf {
    let (tell, told) = channel();
    let server = tcp(command("slow", "0 {port}"), 80).isolate(Isolation::Net);
    let server = server.on_start(move |_| tell.send(place_of_thread()).unwrap());
    let both = tcp(command("slow", "0 {port}"), 5432).isolate(Isolation::Pid);
    orchestrated([("server", server), ("both", both)], |stack| {
        let place = place_of_thread();
        assert!(TcpStream::connect("127.0.0.1:80").is_ok() && TcpStream::connect("127.0.0.1:5432").is_ok());
        assert!(is_in(&stack["server"], &place) && is_in(&stack["both"], &place));
        stack["server"].restart(Restart::Forced).unwrap();
        assert_eq!([told.recv().unwrap(), told.recv().unwrap()], [place.clone(), place.clone()]);
        place
    })
    .unwrap()
}

fn is_in(process: &Process, place: &PathBuf) -> bool {
    std::fs::read_link(format!("/proc/{}/ns/net", process.pid().unwrap())).unwrap() == *place
}
