//! The same service with somebody else's server as its store. Where there is no redis-server the tests say so, and are
//! counted as left out.

use std::path::Path;

use pkit_test::ready::Output;
use pkit_test::{Command, Process, Restart, Result, Spec, bin, http, tcp, with_processes};
use pkit_test_examples::http::{get, post};
use pkit_test_examples::store::{PATIENCE, Store};
use pkit_test_tests::left_out::server;

/// A redis-server on a free port. In a project of your own it begins with `tcp("redis-server --port {port}`.
///
/// Listening is not yet ready: while redis reads what it has on disk, it listens and answers that it is loading. So there
/// are two probes, and both have to hold.
fn redis(program: &Path) -> Spec {
    tcp(Command::program(program).args("--port {port} --bind {host} --dir {dir} --save ''"), 0)
        .ready(Output::stdout("Ready to accept connections"))
}

#[test]
fn counts_hits() {
    if let Some(program) = server("redis") {
        counts_hits_in(&program);
    }
}

// The attribute goes on any function, and its specs may use what the caller gives.
#[with_processes(
    cache = redis(program),
    api   = http(bin!("api").args("--listen {addr} --store {cache.addr}"), "/health"),
)]
fn counts_hits_in(program: &Path, api: Process) {
    assert_eq!(post(&api.url("/hits/home")).unwrap().body, "1");
    assert_eq!(get(&api.url("/hits/home")).unwrap().body, "1");
}

#[test]
fn comes_back_with_what_is_in_its_append_only_file() -> Result<()> {
    let Some(program) = server("redis") else { return Ok(()) };
    let redis = redis(&program).args("--appendonly yes --appendfsync always").start()?;
    let mut store = Store::connect(redis.addr(), PATIENCE).unwrap();
    store.set("colour", "green").unwrap();

    redis.restart(Restart::Forced)?;

    let mut store = Store::connect(redis.addr(), PATIENCE).unwrap();
    assert_eq!(store.get("colour").unwrap().as_deref(), Some("green"));
    Ok(())
}
