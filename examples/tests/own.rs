//! A probe and an executor of one's own, for the key-value server: it is asked in its own words, and nobody meets it
//! before it has what a test expects in it.

use std::io;

use pkit_test::ready::{self, View};
use pkit_test::{Error, Executor, Ground, Need, Process, Result, Spec, bin, http, tcp, with_processes};
use pkit_test_examples::http::post;
use pkit_test_examples::store::{PATIENCE, Store};

/// Ready when it answers PING; what it says instead is in the error of a start that takes too long.
fn kv() -> Spec {
    tcp(bin!("kv").args("--listen {addr} --data {dir}"), 0).ready(ready::poll(ping).named("PING"))
}

fn ping(view: &View) -> io::Result<()> {
    Store::connect(view.addr(), view.patience())?.ping()
}

/// A store with values in it. Whoever needs it starts when they are there, and has not to know that it is more than a
/// process.
struct Filled(Spec, &'static [(&'static str, &'static str)]);

impl Executor for Filled {
    type Handle = Process;

    fn needs(&self) -> Vec<Need> {
        self.0.needs()
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.0.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<Process> {
        let store = ground.start(self.0)?;
        // On the way out by `?` the handle is dropped, and the process with it.
        fill(&store, self.1).map_err(|error| Error::other(format!("`{}` was not filled: {error}", ground.name())))?;
        Ok(store)
    }

    fn process(store: &Process) -> Option<&Process> {
        Some(store)
    }
}

fn fill(process: &Process, values: &[(&str, &str)]) -> io::Result<()> {
    let mut store = Store::connect(process.addr(), PATIENCE)?;
    values.iter().try_for_each(|(key, value)| store.set(key, value))
}

// Below the attribute it is an executor like any other.
#[with_processes(
    kv = Filled(kv(), &[("home", "41")]),
    api = http(bin!("api").args("--listen {addr} --store {kv.addr}"), "/health"),
)]
#[test]
fn counts_on_from_what_is_there(api: Process) {
    assert_eq!(post(&api.url("/hits/home")).unwrap().body, "42");
}

// And by itself as well. `start` is a method of the trait.
#[test]
fn is_taken_down_when_it_cannot_be_filled() {
    let error = Filled(kv(), &[("no key", "at all")]).start().unwrap_err();
    assert!(error.to_string().starts_with("`filled` was not filled: "), "{error}");
}
