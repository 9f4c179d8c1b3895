//! The same thing twice is one process, wherever it is asked for; another thing is another.

use std::collections::BTreeSet;
use std::thread;

use expect_test::expect;
use pkit_test::{Process, Spec, bin, orchestra, output, simple};

use super::run::{run, said};
use crate::text::normalised;

/// What no other test of the run has.
fn sleeper(of: &str) -> Spec {
    output(bin!("sleeper"), "sleeper").env("FOR", of)
}

#[test]
fn in_one_process_it_is_one() {
    let start = || sleeper("in_one_process").shared().start().unwrap();
    let (one, other) = (start(), start());
    assert_eq!(one.pid(), other.pid());
    let pid = one.pid();
    drop((one, other));
    assert_eq!(start().pid(), pid, "it is there until the run ends, whoever has it");
}

#[test]
fn another_thing_is_another() {
    let specs = [
        sleeper("another_thing"),
        sleeper("another_thing").env("A", "1"),
        sleeper("another_thing").stdin(""),
        sleeper("another_thing").cwd("/"),
    ];
    let started: Vec<Process> = specs.iter().map(|spec| spec.clone().shared().start().unwrap()).collect();
    let named = specs[0].clone().shared_as("another thing").start().unwrap();
    let pids: BTreeSet<_> = started.iter().chain([&named]).map(Process::pid).collect();
    assert_eq!(pids.len(), 5);
}

#[test]
fn threads_that_want_it_at_once_get_one() {
    let pids = thread::scope(|threads| {
        let start = || sleeper("threads").shared().start().unwrap();
        let all: Vec<_> = (0..8).map(|_| threads.spawn(start)).collect();
        let started: Vec<Process> = all.into_iter().map(|one| one.join().unwrap()).collect();
        started.iter().map(Process::pid).collect::<BTreeSet<_>>()
    });
    assert_eq!(pids.len(), 1);
}

/// Each has one of its own.
#[test]
fn slots_are_those_of_the_tests_that_have_it_now() {
    let start = || sleeper("slots").shared().start().unwrap();
    let (one, other) = (start(), start());
    assert_eq!([one.slot(), other.slot()], [Some(0), Some(1)]);
    drop(one);
    let next = start();
    assert_eq!(next.slot(), Some(0));
    assert_eq!(sleeper("slots").start().unwrap().slot(), None);
}

#[test]
fn the_slot_is_a_hole_for_what_is_started_beside_it() {
    let stack = orchestra()
        .with("db", sleeper("hole").shared())
        .with("client", simple("echo slot {db.slot} {db.dir} {db.pid}").may_exit())
        .start()
        .unwrap();
    stack["client"].wait().unwrap();
    let (db, client) = (&stack["db"], stack["client"].stdout());
    assert_eq!(client, format!("slot 0 {} {}\n", db.dir().display(), db.pid().unwrap()));
}

/// Where it is nobody knows before it is there.
#[test]
fn an_address_without_the_order_is_not_known() {
    let db = output(bin!("sleeper"), "sleeper").port("peer").env("FOR", "unordered");
    let stack = orchestra().with("db", db.shared()).with("client", simple("echo {&db.port.peer}").may_exit());
    let error = stack.start().unwrap_err();
    assert!(error.is_spec());
    expect![[r#"
        `client` was not started: {&db.port.peer} means nothing here
          why:    `db` is shared: where it is nobody knows before it is there
          spec:   simple("echo {&db.port.peer}")   tests/it/shared/sameness.rs
          hint:   {db.port.peer} waits for that"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn what_is_done_is_said() {
    let run = run();
    let victim = run.victim("shared::has_it").with("sleeper").env("PKIT_LOG", "1");
    let ended = [victim.run_uncaptured(), victim.run_uncaptured()];
    let lines = ended.each_ref().map(|ended| {
        let line = ended.stderr.lines().find_map(|line| line.split_once(" ms] shared ")).expect("it is said").1;
        let (what, rest) = line.split_once(" in ").unwrap();
        (what.to_owned(), rest.split_once(", ").unwrap().1.to_owned())
    });
    let run_of = format!("start 1, slot 0, of the run of {}", run.shown());
    assert_eq!(lines, ["started", "found"].map(|how| (format!("sleeper: {how}"), run_of.clone())));
    run.leaves_nothing_of(&victim, &ended);
}

/// One has ended when the other begins, and with it its last lease: it is the run that keeps it.
#[test]
fn in_two_processes_one_after_the_other_it_is_one() {
    let run = run();
    let victim = run.victim("shared::has_it").with("sleeper");
    let ended = [victim.run_uncaptured(), victim.run_uncaptured()];
    let [one, other] = ended.each_ref().map(|ended| said(ended, "pid"));
    assert_eq!((one.len(), &one), (1, &other));
    assert_eq!(victim.count("sleeper"), 1);
    run.leaves_nothing_of(&victim, &ended);
}

#[test]
fn in_processes_beside_each_other_it_is_one() {
    let run = run();
    let victim = run.victim("shared::has_it").with("sleeper");
    let ended: Vec<_> = thread::scope(|threads| {
        let all: Vec<_> = (0..6).map(|_| threads.spawn(|| victim.run_uncaptured())).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    let pids: BTreeSet<_> = ended.iter().flat_map(|ended| said(ended, "pid")).collect();
    assert_eq!(pids.len(), 1);
    assert_eq!(victim.count("sleeper"), 1);
    run.leaves_nothing_of(&victim, &ended);
}

/// They share nothing.
#[test]
fn of_two_runs_each_has_its_own() {
    let (one, other) = (run(), run());
    let victim = one.victim("shared::has_it").with("sleeper");
    let first = victim.run_uncaptured();
    let victim = victim.env("PKIT_RUN_ID", &other.id());
    let second = victim.run_uncaptured();
    assert_ne!(said(&first, "pid"), said(&second, "pid"));
    assert_eq!(victim.count("sleeper"), 2);
    drop(one);
    other.leaves_nothing_of(&victim, &[first, second]);
}

/// It is found by whoever comes next in the run, and that one is told nothing of the environment of the first.
#[test]
fn it_has_the_environment_of_the_runner() {
    let run = run();
    let victim = run.victim("shared::tells_its_environment").with("env_dump").env("OF_THE_TEST", "1");
    let ended = victim.run_uncaptured();
    let names = said(&ended, "variable");
    assert!(names.contains(&"PATH"), "{names:?}");
    assert!(names.contains(&"OF_THE_SPEC"), "{names:?}");
    assert!(!names.contains(&"OF_THE_TEST"), "{names:?}");
    run.leaves_nothing_of(&victim, &[ended]);
}
