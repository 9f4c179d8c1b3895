//! One redis-server for all tests of a run, each of which has a database of its own: redis has some, by number, and a slot is a
//! number that no other test has meanwhile.
//!
//! Under `cargo nextest run` each of these tests is a process, and it is one server all the same. Where there is no
//! redis-server they say so, and are counted as left out.

use std::io;
use std::path::Path;

use pkit_test::{Command, Process, Seat, Shared, Spec, View, bin, http, tcp, undo, with_processes};
use pkit_test_examples::http::post;
use pkit_test_examples::store::{PATIENCE, Store};
use pkit_test_tests::left_out::server;

/// More tests than that are not at it at one time.
const DATABASES: u32 = 64;

/// What makes two of them the same is all that is written here, so every test that says `redis(…)` means the same one.
fn redis(program: &Path) -> Shared<Spec> {
    let arguments = format!("--port {{port}} --bind {{host}} --dir {{dir}} --save '' --databases {DATABASES}");
    tcp(Command::program(program).args(arguments), 0).shared()
}

/// The database of one test: made by the test, and emptied in a process of its own when the test is over, however it ended.
fn database(redis: &Process, seat: &Seat) -> io::Result<Store> {
    let mut store = Store::connect(redis.addr(), PATIENCE)?;
    store.select(seat.slot())?;
    Ok(store)
}

/// Another test may be the next to have the slot.
fn empty(seat: Seat) -> Result<(), String> {
    let emptied = Store::connect(seat.addr(), PATIENCE).and_then(|mut store| {
        store.select(seat.slot())?;
        store.flush()
    });
    emptied.map_err(|error| error.to_string())
}

#[with_processes(store = redis(program).each(database, undo(empty)))]
fn counts(program: &Path, mut store: View<Store>) {
    // What others count is none of our business, though all of them use the same key.
    for hits in 1..=3 {
        assert_eq!(store.incr("hits").unwrap(), hits);
    }
}

#[test]
fn counts_from_one() {
    if let Some(program) = server("redis") {
        counts(&program);
    }
}

#[test]
fn counts_from_one_as_well() {
    if let Some(program) = server("redis") {
        counts(&program);
    }
}

#[test]
fn counts_from_one_a_third_time() {
    if let Some(program) = server("redis") {
        counts(&program);
    }
}

// A service of the test's own, which is told where the shared one is.
#[with_processes(
    cache = redis(program),
    api   = http(bin!("api").args("--listen {addr} --store {cache.addr}"), "/health"),
)]
fn counts_by_a_service_of_its_own(program: &Path, cache: Process, api: Process) {
    // It knows no databases, and counts in the first one. So this key is of this process alone.
    assert_eq!(post(&api.url(&format!("/hits/{}", std::process::id()))).unwrap().body, "1");

    // What would hurt the others is refused.
    let error = cache.stop().unwrap_err();
    assert!(error.is_shared(), "{error}");
}

#[test]
fn counts_by_a_service() {
    if let Some(program) = server("redis") {
        counts_by_a_service_of_its_own(&program);
    }
}
