//! The functions of the matrix: what the children of the driver do, by processes that execute the victim itself.

use std::env;

use nix::sys::signal::Signal::{SIGHUP, SIGTERM};
use nix::unistd::setsid;
use pkit_test::ready::Said;
use pkit_test::{Pool, Spec, Worker, current, function, output};
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

fn pause_for_ever() {
    pause()
}
