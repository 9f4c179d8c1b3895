//! The tests of the ledger, which is a library and no program: what happens where several processes use it, and where one of
//! them dies in the middle. Each of those processes is a function.

use std::io::{self, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use pkit_test::ready::{Said, Tcp};
use pkit_test::{Failure, Pool, Process, Result, Worker, current, function, with_processes};
use pkit_test_examples::ledger::Ledger;

const SECONDS: Duration = Duration::from_secs(10);

/// A server, written down where it is needed: it tells the sum to whoever connects. Its port was found for it, and its directory
/// made, as for any other process.
fn serve() {
    let listener = TcpListener::bind(current().addr()).expect("nobody else has the port");
    let ledger = Ledger::of(current().dir());
    for mut client in listener.incoming().flatten() {
        let sum = ledger.sum().expect("it can be read");
        // A client that goes away is not our trouble.
        let _ = client.write_all(sum.to_string().as_bytes());
    }
}

fn asked(server: &Process) -> io::Result<u64> {
    let mut answer = String::new();
    TcpStream::connect(server.addr())?.read_to_string(&mut answer)?;
    answer.parse().map_err(io::Error::other)
}

/// What a function needs of other processes it asks for by their names.
fn ledger() -> Ledger {
    Ledger::of(current().peer("server").dir())
}

/// A writer. That it fails is a result like any other.
fn add(times: u64) -> Result<u64, String> {
    (0..times).try_for_each(|_| ledger().add(1)).map_err(|error| error.to_string())?;
    Ok(times)
}

// The handle of a function is that of a process, and has what the function returned besides.
#[with_processes(
    server = function(serve, ()).ready(Tcp::any()),
    one = function(add, 200).after("server"),
    other = function(add, 200).after("server"),
)]
#[test]
fn two_writers_lose_nothing(server: &Process, one: Added, other: Added) {
    assert_eq!([one.join().unwrap(), other.join().unwrap()], [Ok(200), Ok(200)]);
    assert_eq!(asked(server).unwrap(), 400);
}

type Added = Worker<Result<u64, String>>;

/// Is to be killed in the middle of an entry, and says when it is there.
fn begin() {
    let mut entry = ledger().begin().expect("nobody else writes");
    entry.write("12").expect("there is room");
    current().ready();
    loop {
        std::thread::park();
    }
}

#[with_processes(
    server = function(serve, ()).ready(Tcp::any()),
    writer = function(begin, ()).after("server").ready(Said::ready()),
    other = function(add, 3).after("writer").after("server"),
)]
#[test]
fn a_writer_that_is_killed_in_the_middle_keeps_nobody_out(server: &Process, writer: &Process, other: Added) {
    // It runs, and waits for the one that never ends.
    assert_eq!(other.join_timeout(Duration::from_millis(20)).unwrap(), None);

    writer.kill().unwrap();

    assert_eq!(other.join().unwrap(), Ok(3));
    assert_eq!(asked(server).unwrap(), 3, "what was begun is forgotten");
}

/// Tells of each entry when it is written.
fn add_for_ever() {
    for number in 1_u64.. {
        ledger().add(1).expect("there is room");
        println!("{number}");
    }
}

#[with_processes(
    server = function(serve, ()).ready(Tcp::any()),
    writer = function(add_for_ever, ()).after("server"),
)]
#[test]
fn loses_no_entry_that_was_told_of_when_its_writer_is_killed(server: &Process, writer: &Process) -> Result<()> {
    writer.wait_for_output("^100$", SECONDS)?;
    writer.kill()?;

    let told = writer.stdout().lines().count() as u64;
    let kept = asked(server).unwrap();
    assert!(kept == told || kept == told + 1, "{kept} were kept, and {told} told of");

    // Again, in the directory that is there.
    writer.start()?;
    writer.wait_for_output("^100$", SECONDS)?;
    writer.kill()?;
    assert!(asked(server).unwrap() >= kept + 100);
    Ok(())
}

/// Adds an amount, or dies in the middle of 13.
fn add_to(directory: PathBuf, amount: u64) {
    let mut entry = Ledger::of(&directory).begin().expect("there is room");
    entry.write(&amount.to_string()).expect("there is room");
    assert_ne!(amount, 12, "a panic ends the item, and not the process");
    if amount == 13 {
        std::process::abort();
    }
    entry.write("\n").expect("there is room");
}

// Many small writers are the items of a pool. An item that kills its process fails; the pool has another one.
#[with_processes(server = function(serve, ()).ready(Tcp::any()))]
#[test]
fn an_item_that_dies_takes_nothing_along(server: &Process) -> Result<()> {
    let pool = Pool::new(4)?;
    let items = (1..=20).map(|amount| (server.dir().to_owned(), amount));

    let results: Vec<Result<(), Failure>> = pool.map(add_to, items).collect();

    let failed: Vec<usize> = (0..20).filter(|&at| results[at].is_err()).collect();
    assert_eq!(failed, [11, 12]);
    assert!(results[11].as_ref().is_err_and(Failure::is_panic));
    assert!(results[12].as_ref().is_err_and(Failure::is_signal));
    assert_eq!(asked(server).unwrap(), (1..=20).sum::<u64>() - 12 - 13);
    Ok(())
}
