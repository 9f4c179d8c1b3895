//! Executors of one's own.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};

use expect_test::expect;
use pkit_test::{Error, Executor, Ground, Need, Process, Result, Spec, http, orchestra, orchestrated, output, simple};

use super::panic_text;
use crate::child::{HANG, child};

/// A process with a key of its own, which others find in their holes.
struct Keyed(Spec);

struct Key {
    process: Process,
    key: String,
}

impl Executor for Keyed {
    type Handle = Key;

    fn needs(&self) -> Vec<Need> {
        self.0.needs()
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.0.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<Key> {
        let process = self.0.start_on(ground)?;
        let key = format!("key-{}-{}", ground.name(), process.port());
        Ok(Key { process, key })
    }

    fn process(handle: &Key) -> Option<&Process> {
        Some(&handle.process)
    }

    fn values(handle: &Key) -> Vec<(String, String)> {
        vec![("key".to_owned(), handle.key.clone()), ("long.key".to_owned(), "long".to_owned())]
    }
}

/// Calls what it is given instead of starting anything, when those that it names are up.
struct Calls<F, const COUNT: usize = 0>(F, [&'static str; COUNT]);

impl<F: FnOnce(&Ground) -> Result<()> + Send, const COUNT: usize> Executor for Calls<F, COUNT> {
    type Handle = ();

    fn needs(&self) -> Vec<Need> {
        self.1.into_iter().map(Need::first).collect()
    }

    fn start_on(self, ground: &Ground) -> Result<()> {
        (self.0)(ground)
    }
}

#[test]
fn its_values_are_holes_and_its_process_is_in_the_stack() {
    let state = child("serve_state");
    let keyed = Keyed(http(state.with("{port}"), "/"));
    let client = simple("sh -c 'echo {server.key} {server.long.key} {server.port}'").may_exit();
    let stack = orchestra().with("client", client).with("server", keyed).start().unwrap();
    stack["client"].wait().unwrap();
    let (key, port) = (&stack.get::<Key>("server").key, stack["server"].port());
    assert_eq!(stack["client"].stdout(), format!("{key} long {port}\n"));
    assert_eq!(*key, format!("key-server-{port}"));
}

#[test]
fn what_it_has_not_is_said_with_what_it_has() {
    let state = child("serve_state");
    let stack =
        orchestra().with("client", simple("echo {server.kye}")).with("server", Keyed(http(state.with("{port}"), "/")));
    let error = stack.start().unwrap_err().to_string();
    assert!(
        error.contains("\n  why:    `server` has no `kye`, but addr, dir, host, key, long.key, pid, port, url\n"),
        "{error}"
    );
}

#[test]
fn one_that_fails_stops_the_rest() {
    let sleeper = child("sleeper");
    let stack = orchestra()
        .with("slow", output(sleeper.with(""), "never").start_timeout(HANG * 60))
        .with("broken", Calls(|_: &Ground| Err(Error::other("no licence")), []));
    expect!["no licence"].assert_eq(&stack.start().unwrap_err().to_string());
}

#[test]
fn one_that_panics_is_an_error_and_stops_the_rest() {
    let sleeper = child("sleeper");
    let stack = orchestra()
        .with("slow", output(sleeper.with(""), "never").start_timeout(HANG * 60))
        .with("broken", Calls(|_: &Ground| panic!("out of cheese"), []));
    expect!["the executor of `broken` panicked while it started: out of cheese"]
        .assert_eq(&stack.start().unwrap_err().to_string());
}

#[test]
fn one_that_panics_alone_is_an_error_as_well() {
    let stack = orchestra().with("broken", Calls(|_: &Ground| std::panic::panic_any(5), []));
    expect!["the executor of `broken` panicked while it started: a value that is no text"]
        .assert_eq(&stack.start().unwrap_err().to_string());
}

#[test]
fn what_it_has_started_before_it_fails_is_stopped() {
    let sleeper = child("sleeper");
    let spec = output(sleeper.with(""), "sleeper");
    let leaks = move |ground: &Ground| {
        std::mem::forget(spec.start_on(ground)?);
        Err(Error::other("second thoughts"))
    };
    let error = orchestra().with("leaky", Calls(leaks, [])).start().unwrap_err();
    assert_eq!((error.to_string().as_str(), sleeper.count()), ("second thoughts", 0));
}

#[test]
fn one_that_waits_learns_that_it_is_not_wanted() {
    let exits = child("exits");
    let waits = |ground: &Ground| {
        while !ground.is_cancelled() {
            std::thread::yield_now();
        }
        Err(Error::other("given up"))
    };
    let error = orchestra()
        .with("waits", Calls(waits, []))
        .with("broken", output(exits.with("1"), "never"))
        .start()
        .unwrap_err();
    assert!(error.to_string().starts_with("`broken` exited before it was ready\n"), "{error}");
}

/// Says when it is taken down, and whether what it needs is still there.
struct Guest {
    needs: &'static str,
    told: Sender<String>,
}

struct Stay {
    name: String,
    told: Sender<String>,
}

impl Executor for Guest {
    type Handle = Stay;

    fn needs(&self) -> Vec<Need> {
        vec![Need::first(self.needs)]
    }

    fn start_on(self, ground: &Ground) -> Result<Stay> {
        Ok(Stay { name: ground.name().to_owned(), told: self.told })
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        let _ = self.told.send(self.name.clone()); // The test may have failed and be gone.
    }
}

#[test]
fn handles_that_are_no_processes_are_taken_down_in_order_too() {
    let sleeper = child("sleeper");
    let (told, heard) = channel();
    let ended = Mutex::new(told.clone());
    let house = output(sleeper.with(""), "sleeper")
        .on_exit(move |_, _| ended.lock().unwrap().send("house".to_owned()).unwrap());
    let stack = || {
        orchestra()
            .with("first", Guest { needs: "house", told: told.clone() })
            .with("house", house.clone())
            .with("second", Guest { needs: "first", told: told.clone() })
    };
    let order = || heard.try_iter().collect::<Vec<_>>();
    orchestrated(stack(), |_| ()).unwrap();
    assert_eq!(order(), ["second", "first", "house"]);
    drop(stack().start().unwrap());
    assert_eq!(order(), ["second", "first", "house"]);
    let broken = stack().with("broken", Calls(|_: &Ground| Err(Error::other("no")), ["second"]));
    drop(broken.start().unwrap_err());
    assert_eq!(order(), ["second", "first", "house"]);
}

#[test]
fn a_panic_before_anything_runs_goes_through() {
    struct Broken;
    impl Executor for Broken {
        type Handle = ();
        fn place(&mut self, _: &Ground) -> Result<()> {
            panic!("no place")
        }
        fn start_on(self, _: &Ground) -> Result<()> {
            Ok(())
        }
    }
    let sleeper = child("sleeper");
    let was_started = Arc::new(Mutex::new(false));
    let noted = Arc::clone(&was_started);
    let up = simple(sleeper.with("")).on_start(move |_| *noted.lock().unwrap() = true);
    expect!["no place"].assert_eq(&panic_text(|| orchestra().with("up", up).with("broken", Broken).start()));
    assert!(!*was_started.lock().unwrap());
}
