//! Tests that have started several processes.

use std::sync::Barrier;
use std::thread;

use pkit_test::{Process, Spec, orchestrate, orchestrated, output, processes, simple, with_processes};

use super::chosen::{command, is_chosen, only};

fn sleeper() -> Spec {
    only(|| output(command("sleeper", ""), "sleeper"))
}

fn exits() -> Spec {
    only(|| output(command("exits", "7 --say 'no luck'"), "ready"))
}

fn states() -> String {
    let all: Vec<String> =
        processes().iter().map(|process| format!("{} {}", process.name(), process.state())).collect();
    all.join(", ")
}

/// Both tests that begin with `meets` are up at the same time.
fn meets(name: &'static str) {
    static BOTH: Barrier = Barrier::new(2);
    if !is_chosen() {
        return;
    }
    for _ in 0..20 {
        orchestrated([(name, sleeper())], |_| {
            BOTH.wait();
            let names = processes().iter().map(|process| process.name().to_owned()).collect::<Vec<_>>();
            BOTH.wait();
            assert!(names.iter().all(|other| other == name), "{names:?}");
        })
        .unwrap();
    }
    assert_eq!(processes().len(), 20);
}

#[test]
fn meets_the_other() {
    meets("one");
}

#[test]
fn meets_the_one() {
    meets("other");
}

#[test]
fn spawns_a_thread() {
    if !is_chosen() {
        return;
    }
    let process = sleeper().start().unwrap();
    let told = thread::spawn(|| {
        let _other = sleeper().start().unwrap();
        states()
    });
    let told = told.join().unwrap();
    eprintln!("record of test: {}", states());
    eprintln!("record of thread: {told}");
    drop(process);
}

#[with_processes(api = sleeper().after("cache"), cache = sleeper())]
#[test]
fn fails_with_two(api: Process) {
    api.stop().unwrap();
    assert!(!is_chosen(), "what the body says");
}

#[with_processes(api = sleeper().after("cache"), cache = sleeper())]
#[tokio::test]
async fn fails_in_async(api: Process) {
    tokio::task::yield_now().await;
    api.stop().unwrap();
    assert!(!is_chosen(), "what the body says");
}

#[with_processes(api = sleeper().after("cache"), cache = sleeper())]
#[test]
#[should_panic(expected = "as it should")]
fn does_not_panic_as_it_should() {
    assert!(is_chosen(), "as it should");
}

#[with_processes(worker = exits().after("cache"), cache = sleeper())]
#[test]
fn does_not_start() {}

#[with_processes(worker = exits().after("cache"), cache = sleeper())]
#[tokio::test]
async fn does_not_start_in_async() {}

#[test]
fn does_not_start_in_a_scope() {
    if is_chosen() {
        orchestrated([("cache", sleeper()), ("worker", exits().after("cache"))], |_| ()).unwrap();
    }
}

#[with_processes(outer = sleeper())]
#[test]
fn fails_in_a_scope_in_a_scope(outer: Process) {
    let error = orchestrate([("lost", exits())]).start().map(drop);
    assert!(!is_chosen() || error.is_err());
    orchestrated([("inner", sleeper())], |_| {
        outer.stop().unwrap();
        assert!(!is_chosen(), "what the body says");
    })
    .unwrap();
}

#[test]
fn fails_with_handles_by_themselves() {
    let _first = sleeper().start().unwrap();
    let _stack = orchestrate([("member", sleeper())]).start().unwrap();
    let _last = sleeper().start().unwrap();
    assert!(!is_chosen(), "what the body says");
}

#[test]
fn fails_in_one_scope_after_the_other() {
    if !is_chosen() {
        return;
    }
    for _ in 0..2 {
        let job = || simple(command("exits", "3"));
        let error = orchestrated([("one", job()), ("two", job())], |stack| {
            stack["one"].wait().unwrap();
            stack["two"].wait().unwrap();
        });
        assert!(error.unwrap_err().is_exit());
    }
    panic!("what the body says");
}

#[with_processes(only = sleeper())]
#[test]
fn fails_with_one() {
    assert!(!is_chosen(), "what the body says");
}

#[test]
fn fails_with_one_by_itself() {
    let _only = sleeper().start().unwrap();
    assert!(!is_chosen(), "what the body says");
}

#[with_processes(a = sleeper(), b = sleeper(), c = sleeper(), d = sleeper(), e = sleeper())]
#[test]
fn fails_with_five() {
    assert!(!is_chosen(), "what the body says");
}

#[with_processes(api = sleeper(), cache = sleeper())]
#[test]
fn passes_with_two() {}

#[test]
fn passes_with_two_by_themselves() {
    let [_one, _two] = [sleeper().start().unwrap(), sleeper().start().unwrap()];
}
