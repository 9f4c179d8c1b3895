//! When `start` returns the function is about to run, and when `stop` returns it is gone.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use nix::sys::signal::{SigHandler, Signal as Raw, signal};
use pkit_test::ready::Said;
use pkit_test::{Error, Signal, Spec, Worker, current, function};
use pkit_test_tests::child::{pause, wait_ms};
use pkit_test_tests::process::stat;
use serde::{Deserialize, Deserializer, Serialize};

use super::{assert_all_gone, note_self, rounds, wait_noted};
use crate::child::{ENOUGH, HANG, wait_until};
use crate::race::random;
use crate::text::normalised;

/// The only way out is a signal.
fn waits() {
    pause()
}

#[test]
fn a_signal_right_after_the_start_is_neither_lost_nor_somebody_elses() {
    for round in rounds(200) {
        let worker = function(waits, ()).start().unwrap();
        let (sent, number) = [(Signal::Term, 15), (Signal::Usr1, 10), (Signal::Int, 2), (Signal::Hup, 1)][round % 4];
        worker.signal(sent).unwrap();
        let failure = worker.join().unwrap_err();
        assert_eq!(failure.exit().and_then(|exit| exit.signal()), Some(number), "{failure}");
    }
}

static HEARD: AtomicU32 = AtomicU32::new(0);

extern "C" fn hears(_: nix::libc::c_int) {
    HEARD.fetch_add(1, Ordering::Relaxed);
}

/// Says that it is ready when it catches the signal, and returns how many have come when it may.
fn counts(go: PathBuf) -> u32 {
    // SAFETY: an addition is all that the handler does.
    unsafe { signal(Raw::SIGUSR1, SigHandler::Handler(hears)) }.unwrap();
    current().ready();
    while !go.exists() {
        wait_ms(1);
    }
    HEARD.load(Ordering::Relaxed)
}

#[test]
fn a_signal_after_it_said_that_it_is_ready_is_caught_once() {
    for _ in rounds(50) {
        let directory = function(|| (), ()).start().unwrap();
        let go = directory.dir().join("go");
        let worker = function(counts, go.clone()).ready(Said::ready()).start().unwrap();
        worker.signal(Signal::Usr1).unwrap();
        fs::write(&go, "").unwrap();
        // Only what was sent before it returned can have come.
        let count = worker.join().unwrap();
        assert_eq!((count, HEARD.load(Ordering::Relaxed)), (1, 0));
    }
}

/// Returns what it has heard when it was asked to end.
fn polite(length_ms: u32) -> Vec<String> {
    use std::sync::{Arc, Mutex};
    note_self();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (first, second) = (Arc::clone(&heard), Arc::clone(&heard));
    current().on_terminate(move || first.lock().unwrap().push("first".to_owned()));
    current().on_terminate(move || second.lock().unwrap().push("second".to_owned()));
    current().ready();
    while heard.lock().unwrap().len() < 2 {
        wait_ms(1);
    }
    assert!(current().terminating());
    wait_ms(length_ms);
    heard.lock().unwrap().clone()
}

#[test]
fn it_can_hear_that_it_is_to_end_and_return() {
    for end in [Worker::<Vec<String>>::stop_it, Worker::terminate_it] {
        let worker = function(polite, 30).ready(Said::ready()).start().unwrap();
        assert!(worker.join_timeout(Duration::ZERO).unwrap().is_none());
        end(&worker);
        assert_eq!((worker.pid(), worker.exit().and_then(|exit| exit.code())), (None, Some(0)));
        assert_all_gone(&worker, 1);
        assert_eq!(worker.join_timeout(Duration::ZERO).unwrap().unwrap(), ["first", "second"]);
    }
}

/// Methods of what it derefs to are no paths.
trait Ends {
    fn stop_it(&self);
    fn terminate_it(&self);
}

impl<R> Ends for Worker<R> {
    fn stop_it(&self) {
        self.stop().unwrap();
    }
    fn terminate_it(&self) {
        self.terminate().unwrap();
    }
}

#[test]
fn it_can_look_whether_it_is_to_end() {
    fn looks() -> u32 {
        let mut turns = 0;
        assert!(!current().terminating());
        current().ready();
        while !current().terminating() {
            turns += 1;
            wait_ms(1);
        }
        turns
    }
    let worker = function(looks, ()).ready(Said::ready()).start().unwrap();
    // One that is heard already changes nothing any more.
    worker.signal(Signal::Term).unwrap();
    worker.terminate().unwrap();
    worker.join().unwrap();
}

#[test]
fn it_goes_on_when_it_is_asked_and_does_not_want_to() {
    fn deaf() {
        current().on_terminate(|| ());
        current().ready();
        pause();
    }
    let worker = function(deaf, ()).ready(Said::ready()).stop_timeout(Duration::from_millis(50)).start().unwrap();
    worker.signal(Signal::Term).unwrap();
    assert!(worker.terminate().unwrap_err().is_timeout() && worker.is_alive());
    worker.stop().unwrap();
    assert_eq!(worker.join().unwrap_err().exit().and_then(|exit| exit.signal()), Some(9));
}

#[test]
fn without_that_sigterm_is_its_end() {
    let worker = function(waits, ()).start().unwrap();
    worker.terminate().unwrap();
    let failure = worker.join().unwrap_err();
    assert!(failure.is_signal());
    expect!["`waits` was killed by signal 15 (SIGTERM) before it returned"]
        .assert_eq(&normalised(&failure.to_string()));
}

#[test]
fn a_panic_of_whoever_hears_of_it_is_told() {
    fn bad() {
        current().on_terminate(|| panic!("no, I will not"));
        current().ready();
        pause();
    }
    let worker = function(bad, ()).env("RUST_BACKTRACE", "0").ready(Said::ready()).start().unwrap();
    worker.signal(Signal::Term).unwrap();
    worker.wait_for_output("display a backtrace", HANG).unwrap();
    worker.kill().unwrap();
    let failure = worker.join().unwrap_err();
    expect![[r#"
        `bad` was killed by signal 9 (SIGKILL) before it returned
          panic:  there was one at tests/it/functions/patience.rs: no, I will not
          stderr: pkit-terminate panicked at tests/it/functions/patience.rs:
                  no, I will not
                  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace"#]]
    .assert_eq(&normalised(&failure.to_string()));
}

#[test]
fn the_impatient_halves_do_not_wait() {
    let worker = function(takes_leave, ()).ready(Said::ready()).start().unwrap();
    worker.signal(Signal::Term).unwrap();
    assert!(worker.is_alive(), "it takes its time");
    fs::write(worker.dir().join("go"), "").unwrap();
    worker.join().unwrap();
    let slow = function(takes_its_time, Slow::new()).spawn().unwrap();
    assert!(slow.is_alive());
    let file = slow.dir().join("go");
    fs::write(&file, "").unwrap();
    slow.wait_ready().unwrap();
    assert!(slow.join().unwrap());
}

/// Hears that it is to end, and does not before a file is there.
fn takes_leave() {
    assert!(!current().terminating());
    current().ready();
    while !current().terminating() || !current().dir().join("go").exists() {
        wait_ms(1);
    }
}

/// Takes as long to be decoded as it takes until a file is there.
#[derive(Debug, Serialize)]
struct Slow {
    is_decoded: bool,
}

impl Slow {
    fn new() -> Slow {
        Slow { is_decoded: false }
    }
}

impl<'de> Deserialize<'de> for Slow {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Slow, D::Error> {
        #[derive(Deserialize)]
        struct Quick {
            is_decoded: bool,
        }
        let quick = Quick::deserialize(deserializer)?;
        note_self();
        while !current().dir().join("go").exists() {
            wait_ms(1);
        }
        Ok(Slow { is_decoded: !quick.is_decoded })
    }
}

fn takes_its_time(slow: Slow) -> bool {
    slow.is_decoded
}

#[test]
fn a_start_waits_until_its_arguments_are_there() {
    thread::scope(|threads| {
        let (tell, told) = std::sync::mpsc::channel();
        let starting = threads.spawn(move || {
            let spec = function(takes_its_time, Slow::new()).env("PLACE", "{dir}");
            spec.on_start(move |_| tell.send(()).unwrap()).spawn().unwrap()
        });
        let worker = starting.join().unwrap();
        assert!(told.recv_timeout(Duration::from_millis(20)).is_err(), "it has not begun");
        fs::write(worker.dir().join("go"), "").unwrap();
        worker.wait_ready().unwrap();
        worker.join().unwrap();
    });
}

fn runs() {
    note_self();
    pause()
}

/// The error of a start whose time is over when it has written itself down.
fn too_late<R: 'static>(spec: Spec<Worker<R>>) -> Error {
    let worker = spec.start_timeout(ENOUGH).spawn().unwrap();
    wait_noted(&worker, 1);
    let error = worker.wait_ready().unwrap_err();
    assert!(error.is_timeout());
    error
}

#[test]
fn arguments_that_are_never_understood_are_too_late() {
    let error = too_late(function(takes_its_time, Slow::new()));
    expect![[r#"
        `takes_its_time` was not ready after 1.5 s
          spec:   function(takes_its_time, it::functions::patience::Slow)   tests/it/functions/patience.rs
          ran:    takes_its_time, in a process of its own   pid N, in N ms
          probe:  the function begins: it has not begun, N tries
          output: none"#]]
    .assert_eq(&normalised(&error.to_string()));
}

#[test]
fn a_function_that_never_says_that_it_is_ready_is_too_late() {
    let error = too_late(function(runs, ()).ready(Said::ready()));
    expect![[r#"
        `runs` was not ready after 1.5 s
          spec:   function(runs, ())   tests/it/functions/patience.rs
          ran:    runs, in a process of its own   pid N, in N ms
          probe:  it says that it is ready: it runs, and has not called `current().ready()`, N tries
          output: none"#]]
    .assert_eq(&normalised(&error.to_string()));
    let error = function(|| 7, ()).ready(Said::ready()).start().unwrap_err();
    expect![[r#"
        `a_function_that_never_says_that_it_is_ready_is_too_late-closure` exited before it was ready
          spec:   function(a_function_that_never_says_that_it_is_ready_is_too_late-closure, ())   tests/it/functions/patience.rs
          ran:    a_function_that_never_says_that_it_is_ready_is_too_late-closure, in a process of its own   pid N, in N ms
          exit:   exit code 0
          probe:  it says that it is ready: it runs, and has not called `current().ready()`, N tries
          why:    it returned before that
          output: none"#]].assert_eq(&normalised(&error.to_string()));
}

#[test]
fn one_that_has_returned_already_was_started_all_the_same() {
    for _ in rounds(50) {
        let worker = function(|n: usize| n, random(1000)).start().unwrap();
        worker.join().unwrap();
    }
    let ready = || {
        current().ready();
        current().ready();
        7
    };
    assert_eq!(function(ready, ()).ready(Said::ready()).start().unwrap().join().unwrap(), 7);
    assert_eq!(function(ready, ()).start().unwrap().join().unwrap(), 7, "nobody has to listen");
}

#[test]
fn it_ends_when_its_handle_does() {
    fn noted() {
        note_self();
        current().ready();
        pause()
    }
    let worker = function(noted, ()).ready(Said::ready()).start().unwrap();
    let (pid, directory) = (worker.pid().unwrap(), worker.dir().to_owned());
    drop(worker);
    assert!(stat(pid).is_none() && !Path::new(&directory).exists());
}

#[test]
fn a_process_that_is_stopped_is_woken_to_end() {
    let worker = function(waits, ()).start().unwrap();
    worker.pause().unwrap();
    wait_until(|| worker.pid().and_then(stat).is_some_and(|stat| stat.state == 'T'));
    worker.stop().unwrap();
    assert_eq!(worker.join().unwrap_err().exit().and_then(|exit| exit.signal()), Some(15));
}
