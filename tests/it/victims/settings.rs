//! Tests that are run with settings.

use std::fs;
use std::time::Duration;

use pkit_test::{Process, http, output, simple, tcp, with_processes};

use super::chosen::{command, is_chosen, only};
use crate::child::wait_until;

fn talker() -> pkit_test::Spec {
    only(|| output(command("banner", "'hello from the service' --newline"), "hello"))
}

#[with_processes(talker = talker())]
#[test]
fn passes(talker: Process) {
    assert!(talker.is_alive());
}

#[with_processes(talker = talker())]
#[test]
fn fails(talker: Process) {
    assert!(!is_chosen() || !talker.is_alive(), "what the body says");
}

#[with_processes(talker = talker(), other = talker())]
#[test]
fn drops_a_handle_itself(talker: Process, other: Process) {
    let pid = talker.pid().unwrap();
    drop(talker);
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(other.is_alive());
}

#[test]
fn passes_with_a_handle_of_its_own() {
    assert!(talker().start().unwrap().is_alive());
}

#[test]
fn fails_with_a_handle_of_its_own() {
    let talker = talker().start().unwrap();
    assert!(!is_chosen() || !talker.is_alive(), "what the body says");
}

#[with_processes(
    server = only(|| tcp(command("daemonizer", "{port}"), 0).port("peer").env("STATE", "{dir}")),
    other = only(|| simple(command("banner", "up"))),
)]
#[test]
fn fails_with_a_place(server: Process, other: Process) {
    // What it leaves behind listens before it ends itself.
    while is_chosen() && server.exit().is_none() {
        std::thread::yield_now();
    }
    assert!(!is_chosen() || server.pid() == other.pid(), "what the body says");
}

#[with_processes(stays = only(|| simple(command("sleeper", ""))), dies = only(|| simple(command("exits", "3"))))]
#[test]
fn loses_one(stays: Process, dies: Process) {
    if is_chosen() {
        dies.wait().unwrap();
        assert!(stays.is_alive());
    }
}

#[with_processes(sleeper = only(|| simple(command("sleeper", "")).on_exit(|_, _| loop { std::thread::park() })))]
#[test]
fn has_a_callback_without_end(sleeper: Process) {
    if is_chosen() {
        sleeper.stop().unwrap_err();
    }
}

#[with_processes(talker = talker())]
#[test]
fn aborts(talker: Process) {
    if is_chosen() && talker.is_alive() {
        std::process::abort();
    }
}

fn slow() -> pkit_test::Spec {
    let boot_ms = std::env::var("BOOT_MS").unwrap();
    http(command("slow", &format!("{boot_ms} {{port}}")), "/").start_timeout(Duration::from_millis(50))
}

#[with_processes(server = only(slow))]
#[test]
fn is_slow(server: Process) {
    assert!(server.is_alive());
}

#[test]
fn loses_its_directory() {
    if !is_chosen() {
        return;
    }
    let first = talker().start().unwrap();
    let directory = first.log_path().parent().unwrap().to_owned();
    // A shim that still makes its files may put one into it meanwhile.
    wait_until(|| fs::remove_dir_all(&directory).is_ok());
    let second = talker().start().unwrap();
    assert!(second.stdout().starts_with("hello") && second.log_path().exists());
    assert!(first.is_alive());
}

#[test]
fn hangs() {
    let _talker = talker().start().unwrap();
    if is_chosen() {
        println!("it hangs");
        pkit_test_tests::child::pause();
    }
}
