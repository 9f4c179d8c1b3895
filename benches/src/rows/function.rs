//! A function in a process of its own: until its first statement runs, until its result is there, and what it takes.
//!
//! Beside it the same function by `procspawn`, which executes the program again; this program executed again by hand, up to
//! its `main` or through two pipes; and a bare fork of a process that has next to nothing, below which nothing can be.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

use pkit_test::function;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::procfs;
use crate::raw::Raw;
use crate::roles::Role;
use crate::stamps::Stamper;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const STARTS: usize = 200;
const CALLS: usize = 100;
/// They take a hundred times as long.
const LARGE_CALLS: usize = 15;
const SIZES: usize = 10;
const FIRST_STATEMENT_MS: f64 = 0.5;

const SMALL_BYTES: usize = 64;
const LARGE_BYTES: usize = 10 << 20;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    // The first of all starts the guardian, which is another row.
    function(now, ()).start()?.join()?;
    Ok(vec![starts(bench)?, calls(bench)?, memory(bench)?])
}

/// Its first statement is all that it has.
fn now() -> u64 {
    clock::now_ns()
}

fn starts(bench: &Bench) -> Outcome<Table> {
    let forks = forks(bench)?;
    let mut stamps = bench.stamps()?;
    let [mut first, mut returned, mut its_first, mut its_returned, mut in_main] = [const { Vec::new() }; 5];
    for _ in 0..bench.samples(STARTS) {
        let began = clock::now_ns();
        let worker = function(now, ()).start()?;
        returned.push(clock::since_ms(began));
        first.push(clock::between_ms(began, worker.join()?));
        drop(worker);

        let began = clock::now_ns();
        let spawned = procspawn::spawn((), |()| clock::now_ns());
        its_returned.push(clock::since_ms(began));
        its_first.push(clock::between_ms(began, spawned.join()?));

        let mut command = bench.command(&Role::Idle { stamps: stamps.path().to_owned() });
        let began = clock::now_ns();
        let child = Raw::spawn(&mut command)?;
        in_main.push(clock::between_ms(began, stamps.next()?));
        drop(child);
    }
    let samples = |values: Vec<f64>| -> Samples { values.into_iter().collect() };
    let first = Line::new("its first statement runs", samples(first))
        .over("a bare fork", forks)
        .over("this program executed again", samples(in_main))
        .over("procspawn", samples(its_first));
    let returned = Line::new("start() has returned", samples(returned)).over("procspawn", samples(its_returned));
    Ok(Table::new("function: from the call of start() until, ms")
        .line(first.budget(Budget::Ours(FIRST_STATEMENT_MS)))
        .line(returned)
        .note("when start() returns the function runs; that of procspawn does not wait"))
}

/// A child measures them: it has less to copy than this process.
fn forks(bench: &Bench) -> Outcome<Samples> {
    let output = bench.command(&Role::Forks { samples: bench.samples(STARTS) }).output()?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::parse).collect::<Result<_, _>>()?)
}

fn calls(bench: &Bench) -> Outcome<Table> {
    let (small, large) = (vec![7_u8; SMALL_BYTES], vec![7_u8; LARGE_BYTES]);
    let (few, many) = (bench.samples(LARGE_CALLS), bench.samples(CALLS));
    Ok(Table::new("function: a call that gives back what it is given, from call() to its result, ms")
        .line(call(bench, "64 bytes", many, &small)?)
        .line(call(bench, "10 MB in a Vec<u8>", few, &large)?)
        .line(call(bench, "10 MB as bytes", few, &ByteBuf::from(large))?)
        .note("by hand: this program executed again, with two pipes"))
}

fn call<T: Bytes>(bench: &Bench, what: &str, samples: usize, given: &T) -> Outcome<Line> {
    let [mut ours, mut its, mut by_hand] = [const { Vec::new() }; 3];
    let worker = function(echo::<T>, given.clone()).start()?;
    worker.join()?;
    for _ in 0..samples {
        let copy = given.clone();
        let (took_ms, got) = clock::timed(|| worker.call(copy));
        same(given.as_ref(), got?.as_ref())?;
        ours.push(took_ms);

        let copy = given.clone();
        let (took_ms, got) = clock::timed(|| procspawn::spawn(copy, echo::<T>).join());
        same(given.as_ref(), got?.as_ref())?;
        its.push(took_ms);

        let command = bench.command(&Role::Echo);
        let (took_ms, got) = clock::timed(|| by_pipes(command, given.as_ref()));
        same(given.as_ref(), &got?)?;
        by_hand.push(took_ms);
    }
    let samples = |values: Vec<f64>| -> Samples { values.into_iter().collect() };
    Ok(Line::new(what, samples(ours)).over("procspawn", samples(its)).over("by hand", samples(by_hand)))
}

/// What can be sent there, and seen to have come back.
trait Bytes: Clone + AsRef<[u8]> + Serialize + DeserializeOwned + Send + 'static {}

impl<T: Clone + AsRef<[u8]> + Serialize + DeserializeOwned + Send + 'static> Bytes for T {}

fn echo<T>(given: T) -> T {
    given
}

fn by_pipes(mut command: Command, given: &[u8]) -> io::Result<Vec<u8>> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let (input, output) = (child.stdin.take(), child.stdout.take());
    let (mut input, mut output) = (input.expect("spawned with a pipe"), output.expect("spawned with a pipe"));
    let mut got = Vec::new();
    thread::scope(|scope| {
        // It moves in, so that the child sees its end.
        let written = scope.spawn(move || input.write_all(given));
        output.read_to_end(&mut got)?;
        written.join().expect("nothing in it panics")
    })?;
    child.wait()?;
    Ok(got)
}

fn same(given: &[u8], got: &[u8]) -> Outcome<()> {
    if given == got { Ok(()) } else { Err("something else came back".into()) }
}

fn memory(bench: &Bench) -> Outcome<Table> {
    let [mut ours, mut again, mut its] = [const { Vec::new() }; 3];
    for _ in 0..bench.samples(SIZES) {
        let worker = function(pause, ()).start()?;
        ours.push(procfs::pss_mb(pid(worker.pid())?)?);
        drop(worker);

        let mut stamps = bench.stamps()?;
        let child = Raw::spawn(&mut bench.command(&Role::Idle { stamps: stamps.path().to_owned() }))?;
        stamps.next()?;
        again.push(procfs::pss_mb(child.pid())?);
        drop(child);

        let path = stamps.path().to_owned();
        let mut spawned = procspawn::spawn(path, say_and_pause);
        stamps.next()?;
        its.push(procfs::pss_mb(pid(spawned.pid())?)?);
        spawned.kill()?;
    }
    let samples = |values: Vec<f64>| -> Samples { values.into_iter().collect() };
    let line = Line::new("a function that waits", samples(ours))
        .over("this program executed again", samples(again))
        .over("procspawn", samples(its));
    Ok(Table::new("function: memory of its process, PSS, MB").line(line))
}

fn pid(pid: Option<u32>) -> Outcome<i32> {
    Ok(i32::try_from(pid.ok_or("it is not up")?)?)
}

fn pause() {
    nix::unistd::pause();
}

fn say_and_pause(stamps: PathBuf) {
    let said = Stamper::open(&stamps).and_then(|mut stamper| stamper.say(clock::now_ns()));
    // Else the other side waits in vain, which is an error there.
    if said.is_ok() {
        pause();
    }
}
