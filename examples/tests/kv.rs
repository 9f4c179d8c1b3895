//! The tests of the key-value server: where it listens, where its data are, and what a crash may cost.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::time::Duration;

use pkit_test::{Process, Restart, Result, Spec, bin, tcp, with_processes};
use pkit_test_examples::store::{PATIENCE, Store};

const SECONDS: Duration = Duration::from_secs(10);

/// How all tests run the server: on a port that is free, with a directory that is its own.
///
/// A definition that tests share is a function. What is in braces is filled in when the server starts.
fn kv() -> Spec {
    tcp(bin!("kv").args("--listen {addr} --data {dir}"), 0)
}

fn connect(kv: &Process) -> Store {
    Store::connect(kv.addr(), PATIENCE).expect("it was ready, so it accepts")
}

#[with_processes(kv = kv())]
#[test]
fn gives_back_what_it_was_given(kv: Process) {
    let mut store = connect(&kv);
    store.set("colour", "green").unwrap();
    assert_eq!(store.get("colour").unwrap().as_deref(), Some("green"));
    assert_eq!(store.get("shape").unwrap(), None);
}

#[with_processes(one = kv(), other = kv())]
#[test]
fn two_servers_have_nothing_in_common(one: Process, other: Process) {
    connect(&one).set("colour", "green").unwrap();
    assert_eq!(connect(&other).get("colour").unwrap(), None);
    assert_ne!(one.port(), other.port());
    assert_ne!(one.dir(), other.dir());
}

// A body may return a `Result`, and every method of a handle gives one that `?` takes.
#[with_processes(kv = kv())]
#[test]
fn is_the_same_after_a_restart(kv: Process) -> Result<()> {
    let port = kv.port();
    connect(&kv).set("colour", "green").unwrap();

    kv.restart(Restart::Graceful)?;

    assert_eq!(kv.port(), port, "clients may go on with the address that they know");
    assert_eq!(connect(&kv).get("colour").unwrap().as_deref(), Some("green"));
    assert_eq!(kv.restarts(), 1);
    Ok(())
}

#[with_processes(kv = kv())]
#[test]
fn loses_no_write_that_it_acknowledged_when_it_is_killed(kv: Process) -> Result<()> {
    let mut store = connect(&kv);
    let told = (0..100).map(|_| store.incr("count").unwrap()).max();

    kv.kill()?;
    assert!(store.get("count").is_err());
    assert_eq!(kv.pid(), None);

    kv.start()?;
    let kept = connect(&kv).get("count").unwrap();
    assert_eq!(kept.as_deref(), Some("100"));
    assert_eq!(told, Some(100));
    Ok(())
}

#[with_processes(kv = kv())]
#[test]
fn forgets_a_write_that_a_crash_cut_off(kv: Process) -> Result<()> {
    connect(&kv).set("colour", "green").unwrap();
    kv.kill()?;

    // The directory is still there: it goes with the handle, not with the process.
    let log = OpenOptions::new().append(true).open(kv.dir().join("kv.log"));
    log.and_then(|mut log| log.write_all(b"colour re")).unwrap();
    kv.start()?;

    // What it writes is seen from its first byte on, however early that was.
    kv.wait_for_output("the last write was cut off", SECONDS)?;
    assert_eq!(connect(&kv).get("colour").unwrap().as_deref(), Some("green"));
    Ok(())
}

// Without the attribute a spec is started by hand, and an error is a value to look at. Nothing is left after it.
#[test]
fn needs_a_directory_that_exists() {
    let error = tcp(bin!("kv").args("--listen {addr} --data {dir}/nowhere"), 0).start().unwrap_err();

    assert!(error.is_exit());
    assert_eq!(error.exit().and_then(|exit| exit.code()), Some(2));
    assert!(error.to_string().contains("No such file or directory"), "{error}");
}
