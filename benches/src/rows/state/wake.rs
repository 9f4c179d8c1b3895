//! How soon whoever waits for a change knows of it: from before `set` in one process to the return in another.

use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::Duration;

use pkit_test::{State, function};

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const WAKES: usize = 1_000;
const WAKE_MS: f64 = 0.2;
const LIMIT: Duration = Duration::from_secs(30);

/// So that whoever is to be woken sleeps again.
const PAUSE: Duration = Duration::from_millis(1);

/// What is written is when it is written.
const KEY: &str = "now";
const WOKEN: &str = "woken";

pub(super) fn table(bench: &Bench) -> Outcome<Table> {
    let wakes = bench.samples(WAKES);
    let (watch, waits) = (by_state(wakes, watches)?, by_state(wakes, waits)?);
    let bare = by_socket(bench, wakes)?;
    let beside = "a read of a socket";
    Ok(Table::new("state: from set in one process to the return in another, ms")
        .line(Line::new("next of a watch", watch).over(beside, bare.clone()).budget(Budget::Ours(WAKE_MS)))
        .line(Line::new("wait_until", waits).over(beside, bare).budget(Budget::Ours(WAKE_MS)))
        .note("the socket goes straight from one to the other"))
}

type Waiter = fn(State, usize) -> Vec<f64>;

fn by_state(wakes: usize, waiter: Waiter) -> Outcome<Samples> {
    let state = State::new()?;
    state.set(KEY, &0_u64)?;
    let worker = function(waiter, (state.clone(), wakes)).start()?;
    state.latch("watching", 1)?.wait(LIMIT)?;
    for woken in 1..=wakes {
        clock::pause(PAUSE);
        state.set(KEY, &clock::now_ns())?;
        // Who waits again and again does not see what is between two waits.
        state.counter(WOKEN).wait_at_least(i64::try_from(woken)?, LIMIT)?;
    }
    Ok(worker.join()?.into_iter().collect())
}

fn watches(state: State, wakes: usize) -> Vec<f64> {
    let watch = state.watch(&[KEY]).expect("it is there");
    state.latch("watching", 1).and_then(|latch| latch.count_down()).expect("it is there");
    let lag = |change: pkit_test::Result<pkit_test::Change>| {
        let woken_ns = clock::now_ns();
        let set_ns = change.and_then(|change| change.value::<u64>()).expect("it is a time");
        state.counter(WOKEN).add(1).expect("it is there");
        clock::between_ms(set_ns.expect("it is there"), woken_ns)
    };
    watch.take(wakes).map(lag).collect()
}

fn waits(state: State, wakes: usize) -> Vec<f64> {
    state.latch("watching", 1).and_then(|latch| latch.count_down()).expect("it is there");
    let mut last = 0;
    let mut lag = || {
        let set_ns = state.wait_until(KEY, |at: &u64| *at > last, LIMIT).expect("it is set");
        let lag_ms = clock::since_ms(set_ns);
        last = set_ns;
        state.counter(WOKEN).add(1).expect("it is there");
        lag_ms
    };
    (0..wakes).map(|_| lag()).collect()
}

fn by_socket(bench: &Bench, wakes: usize) -> Outcome<Samples> {
    let path = bench.scratch().join("wake");
    let listener = UnixListener::bind(&path)?;
    let worker = function(reads, (path, wakes)).start()?;
    let (mut stream, _) = listener.accept()?;
    for _ in 0..wakes {
        clock::pause(PAUSE);
        stream.write_all(&clock::now_ns().to_ne_bytes())?;
    }
    Ok(worker.join()?.into_iter().collect())
}

fn reads(path: PathBuf, wakes: usize) -> Vec<f64> {
    let mut stream = UnixStream::connect(path).expect("it listens");
    let mut lag = || {
        let mut sent = [0; 8];
        stream.read_exact(&mut sent).expect("as many come");
        clock::since_ms(u64::from_ne_bytes(sent))
    };
    (0..wakes).map(|_| lag()).collect()
}
