//! Functions that start processes and functions of their own: all of it ends with them, or before.

use std::process;
use std::time::Duration;

use pkit_test::ready::Said;
use pkit_test::{Process, Worker, current, function, orchestrated, output, sh, simple, tcp};
use pkit_test_tests::child::{pause, wait_ms};
use pkit_test_tests::process::stat;

use super::{assert_gone, note, note_self, noted, wait_noted};
use crate::child::child;

/// How a function ends with all that it has started.
const ENDS: &[&str] = &["return", "panic", "exit", "abort", "forget", "stay"];

/// Starts a program and, `depth` times over, itself; all of them write themselves down. Then it comes to its end.
fn nests(depth: u32, end: String, place: String) -> u32 {
    note_in(&place);
    let program = output(sh("trap '' TERM; echo up; while :; do sleep 600; done"), "^up$");
    let program = program.stop_timeout(Duration::from_millis(20)).start().unwrap();
    note_at(&place, program.pid().unwrap());
    let mut held: Vec<Worker<u32>> = Vec::new();
    if depth > 0 {
        let spec = function(nests, (depth - 1, "stay".to_owned(), place)).ready(Said::ready());
        held.push(spec.start().unwrap());
    }
    current().ready();
    match end.as_str() {
        "return" => return depth,
        "panic" => panic!("with all of it up"),
        "exit" => process::exit(3),
        "abort" => process::abort(),
        "forget" => std::mem::forget((program, held)),
        _ => pause(),
    }
    depth
}

fn note_in(place: &str) {
    note_at(place, process::id());
}

fn note_at(place: &str, pid: u32) {
    use std::io::Write as _;
    let started = stat(pid).unwrap().started;
    let file = std::fs::OpenOptions::new().append(true).create(true).open(format!("{place}/notes"));
    file.unwrap().write_all(format!("{pid} {started}\n").as_bytes()).unwrap();
}

#[test]
fn however_it_ends_nothing_of_three_levels_is_left() {
    for end in ENDS {
        let holder = function(|| (), ()).start().unwrap();
        let place = holder.dir().display().to_string();
        let spec = function(nests, (2, (*end).to_owned(), place)).ready(Said::ready());
        let worker = spec.start().unwrap();
        match *end {
            "stay" => worker.stop().unwrap(),
            _ => _ = worker.wait().unwrap(),
        }
        // Three functions, each with a program.
        assert_eq!(noted(holder.dir()).len(), 6, "{end}");
        assert_gone(&noted(holder.dir()));
        let joined = worker.join();
        assert_eq!(joined.is_ok(), ["return", "forget"].contains(end), "{end}: {joined:?}");
    }
}

#[test]
fn when_it_is_killed_nothing_of_three_levels_is_left() {
    let holder = function(|| (), ()).start().unwrap();
    let place = holder.dir().display().to_string();
    for _ in 0..3 {
        let spec = function(nests, (2, "stay".to_owned(), place.clone())).ready(Said::ready());
        let worker = spec.start().unwrap();
        worker.kill().unwrap();
        assert_gone(&noted(holder.dir()));
    }
    assert_eq!(noted(holder.dir()).len(), 18);
}

#[test]
fn handles_in_it_work_as_in_a_test() {
    fn body(sleeper: String, slow: String) -> Vec<String> {
        let mut seen = Vec::new();
        let process = simple(&sleeper).start().unwrap();
        let pid = process.pid().unwrap();
        drop(process);
        seen.push(format!("a drop ends it: {}", stat(pid).is_none()));
        let process = simple(&sleeper).on_exit(|_, exit| println!("told of {exit}")).start().unwrap();
        process.stop().unwrap();
        seen.push(format!("{:?}", process.exit().and_then(|exit| exit.signal())));
        orchestrated([("a", tcp(&slow, 0)), ("b", tcp(&slow, 0).after("a"))], |stack| {
            assert!(stack["b"].port() != stack["a"].port());
        })
        .unwrap();
        let failure = function(|| -> u32 { panic!("inside") }, ()).start().unwrap().join().unwrap_err();
        seen.push(failure.message().to_owned());
        seen.push(function(|n: u32| n + 1, 1).start().unwrap().join().unwrap().to_string());
        seen.push(tcp(&slow, 0).env("X", "{dir}").start().unwrap().dir().exists().to_string());
        let error = simple("no-such-program").start().unwrap_err().to_string();
        seen.push(error.lines().next().unwrap().to_owned());
        seen
    }
    let (sleeper, slow) = (child("sleeper"), child("slow"));
    let worker = function(body, (sleeper.with(""), slow.with("0 {port}"))).start().unwrap();
    let seen = worker.join().unwrap();
    assert_eq!(
        seen,
        [
            "a drop ends it: true",
            "Some(15)",
            "inside",
            "2",
            "true",
            "`no-such-program` was not started: program `no-such-program` is in no directory of PATH"
        ]
    );
    assert_eq!(worker.stdout(), "told of signal 15 (SIGTERM)\n");
    assert_eq!((sleeper.count(), slow.count()), (0, 0));
}

#[test]
fn what_it_starts_has_ports_that_nobody_else_has() {
    fn ports(slow: String) -> Vec<u16> {
        let stack: Vec<Process> = (0..5).map(|_| tcp(&slow, 0).start().unwrap()).collect();
        wait_ms(10);
        stack.iter().map(Process::port).collect()
    }
    let slow = child("slow");
    let own: Vec<Process> = (0..5).map(|_| tcp(slow.with("0 {port}"), 0).start().unwrap()).collect();
    let spec = || function(ports, slow.with("0 {port}"));
    let (one, other) = (spec().start().unwrap(), spec().start().unwrap());
    let mut all: Vec<u16> = own.iter().map(Process::port).collect();
    all.extend(one.join().unwrap());
    let (count, other) = (all.len(), other.join().unwrap());
    all.sort_unstable();
    all.dedup();
    assert_eq!((all.len(), count, other.len()), (10, 10, 5));
}

#[test]
fn a_surprise_in_it_is_its_own_failure() {
    fn scope(exits: String) -> Result<(), String> {
        orchestrated([("it", simple(&exits))], |stack| drop(stack["it"].wait()))
            .map_err(|error| error.to_string().lines().next().unwrap_or_default().to_owned())
    }
    let exits = child("exits");
    let told = function(scope, exits.with("3")).start().unwrap().join().unwrap().unwrap_err();
    assert_eq!(told, "`it` ended during the test, and nobody asked it to");
}

#[test]
fn it_may_be_stopped_while_it_starts_something() {
    fn starts(sleeper: String) {
        note_self();
        loop {
            let process = simple(&sleeper).start().unwrap();
            note(process.pid().unwrap());
        }
    }
    let sleeper = child("sleeper");
    for _ in super::rounds(10) {
        let worker = function(starts, sleeper.with("")).start().unwrap();
        wait_noted(&worker, 1);
        wait_ms(crate::race::random(20) as u32);
        worker.kill().unwrap();
        assert_gone(&noted(worker.dir()));
        assert_eq!(sleeper.count(), 0);
    }
}
