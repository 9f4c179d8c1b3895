//! The functions of the matrix: what the children of the driver do, by processes that execute the victim itself.

use std::env;
use std::thread;
use std::time::Duration;

use nix::sys::signal::Signal::{SIGHUP, SIGTERM};
use nix::unistd::setsid;
use pkit_test::ready::Said;
use pkit_test::{Pool, Spec, State, Worker, current, function, output};
use pkit_test_tests::child::daemon::{close_all, detached};
use pkit_test_tests::child::{forked, ignore, pause};

use crate::chosen::Chosen;

/// Beside a daemon.
const FORKS: usize = 10;

/// The one of that name. It is ready when it has done what it is named by.
pub(crate) fn named(name: &str) -> Chosen {
    let ready = |spec: Spec<Worker<()>>| spec.ready(Said::ready());
    match name {
        "function" => Chosen::Function(ready(function(waits, ()))),
        "function_forks" => Chosen::Function(ready(function(forks, ()))),
        "function_nests" => {
            let command = env::var("VICTIM_COMMAND").expect("the driver has set it");
            Chosen::Function(ready(function(nests, command)))
        }
        "function_pool" => Chosen::Pooled(ready(function(waits, ()))),
        "function_state" => Chosen::Stateful(ready(function(meets, ()))),
        _ => panic!("there is no function called {name}"),
    }
}

fn waits() {
    current().ready();
    pause()
}

/// A deaf daemon without a descriptor, and children in sessions of their own.
fn forks() {
    detached(|_unsettled| {
        ignore(&[SIGTERM, SIGHUP]);
        close_all();
        pause()
    });
    for _ in 0..FORKS {
        if forked().is_none() {
            setsid().expect("a forked child leads no group");
            pause()
        }
    }
    waits()
}

/// Below a guardian of its own: a daemon of the driver's, a function, and a pool.
fn nests(command: String) {
    let _daemon = output(command, r"daemon \d+").start().expect("it can be started here as well");
    let _function = function(pause_for_ever, ()).start().expect("and so can a function");
    let _pool = Pool::new(2).expect("and a pool");
    waits()
}

/// Holds, watches and waits, all at once, in the state that it was given; where nobody keeps one, in one of its own.
fn meets() {
    let state = State::from_env().or_else(|_| State::new()).expect("there is a state, or can be one");
    let _permit = state.semaphore("permits", 2).and_then(|permits| permits.acquire(FOR_EVER)).expect("it is free");
    state.queue("items").push(&1).expect("it is open");
    let _item = state.queue::<u32>("items").lease(FOR_EVER).expect("it was just pushed");
    let (watching, waiting, standing) = (state.clone(), state.clone(), state.clone());
    let _watch = thread::spawn(move || watching.watch_all().map(Iterator::count));
    let _wait = thread::spawn(move || waiting.wait_present::<u32>("never", FOR_EVER));
    let _stand = thread::spawn(move || standing.phase("walk").pass("first", FOR_EVER));
    current().ready();
    // Once nobody is there any more to meet it is an error, and no end.
    let _broken = state.barrier("many", 1_000).and_then(|barrier| barrier.wait(FOR_EVER));
    pause()
}

/// Longer than any run of the matrix.
const FOR_EVER: Duration = Duration::from_secs(3600);

fn pause_for_ever() {
    pause()
}
