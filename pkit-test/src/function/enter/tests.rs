//! The process is this test binary again, with one test to run, which enters the function that it is asked for.

use std::env;
use std::io::{Write, stdin, stdout};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output, Stdio};

use serde::{Deserialize, Serialize};

use crate::callee::Callee;
use crate::function::callable::callee;
use crate::function::{current, try_current};
use crate::parcel::{Outcome, Parcel, PeerAddress, Stage, Surroundings};
use crate::sys::bell::{Bell, Rope};

use super::*;

const CASE: &str = "PKIT_TEST_ENTER";

/// What is known of a process that is gone.
struct Gone {
    parcel: Parcel,
    output: Output,
}

impl Gone {
    fn result<R: DeserializeOwned>(&self) -> R {
        let Outcome::Returned(bytes) = self.parcel.outcome() else { panic!("{:?}", self.parcel.outcome()) };
        assert!(self.output.status.success(), "{:?}", self.output);
        codec::read(&bytes).unwrap()
    }

    /// Message and line, and that it said so with its code.
    fn panic(&self) -> PanicNote {
        assert_eq!(
            (self.parcel.outcome(), self.output.status.code()),
            (Outcome::Panicked, Some(101)),
            "{:?}",
            self.output
        );
        self.parcel.panic().unwrap()
    }

    fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }
}

/// All functions that are entered here, by their names.
fn cases() -> Vec<(&'static str, Callee)> {
    vec![
        ("adds", callee(|a: u32, b: u32| a + b, &(3, 4))),
        ("pointer", callee(double as fn(u64) -> u64, &21)),
        ("panics", callee(|| -> () { panic!("boom {}", 1) }, &())),
        ("throws", callee(|| -> () { std::panic::resume_unwind(Box::new("thrown")) }, &())),
        ("no_text", callee(|| -> () { std::panic::panic_any(7) }, &())),
        ("caught", callee(caught, &())),
        ("thread", callee(thread, &())),
        ("joined", callee(joined, &())),
        ("trap", callee(|| -> () { std::panic::panic_any(Trap) }, &())),
        ("in_drop", callee(in_drop, &())),
        ("cannot_unwind", callee(|| cannot_unwind(), &())),
        ("exits", callee(|| -> () { exit(3) }, &())),
        ("unfaithful", callee(|| Some(None::<u8>), &())),
        ("vicious_result", callee(|| Vicious(1), &())),
        ("result_in_drop", callee(|| DropsBadly(1), &())),
        ("endless", callee(|| Endless, &())),
        ("vicious_arguments", callee(|_: Vicious| (), &Vicious(2))),
        ("other_arguments", callee(|_: OneWay| (), &OneWay)),
        ("prints", callee(prints, &())),
        ("forks", callee(forks, &())),
        ("surroundings", callee(surroundings, &())),
        (
            "stranger",
            callee(
                || {
                    let _ = current().peer("bd");
                },
                &(),
            ),
        ),
        ("ready", callee(ready, &())),
        ("closes_all", callee(closes_all, &())),
        ("terminates", callee(terminates, &())),
        (
            "dies",
            callee(
                || {
                    raise_term();
                    current().terminating()
                },
                &(),
            ),
        ),
        ("large", callee(|length: usize| "ä".repeat(length), &5_000_000)),
    ]
}

#[test]
fn in_the_process() {
    let Ok(case) = env::var(CASE) else { return };
    let slate = stdin().as_fd().try_clone_to_owned().unwrap();
    let rope =
        env::var(format!("{CASE}_ROPE")).is_ok().then(|| std::io::stderr().as_fd().try_clone_to_owned().unwrap());
    let callee = cases().into_iter().find(|(name, _)| *name == case).unwrap().1;
    (callee.entry)(Gifts { slate, rope: rope.map(Rope::from) })
}

fn own_surroundings(callee: &Callee) -> Surroundings {
    let db = PeerAddress {
        ports: vec![(String::new(), 5432), ("peer".to_owned(), 1)],
        dir: "/tmp/db".into(),
        ..PeerAddress::named("db")
    };
    let own = PeerAddress { ports: vec![("peer".to_owned(), 7)], ..PeerAddress::named("work") };
    Surroundings { pointer: callee.pointer, waits_for_ready: false, own, peers: vec![db] }
}

fn command(case: &str, parcel: &Parcel) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "function::enter::tests::in_the_process", "--nocapture", "--quiet"]);
    command.env(CASE, case).env_remove("RUST_BACKTRACE").stdin(Stdio::from(parcel.descriptor().unwrap()));
    command
}

fn run_with(case: &str, change: impl FnOnce(&mut Surroundings, &mut Callee), ask: impl FnOnce(&mut Command)) -> Gone {
    let mut callee = cases().into_iter().find(|(name, _)| *name == case).unwrap().1;
    let mut around = own_surroundings(&callee);
    change(&mut around, &mut callee);
    let parcel = Parcel::pack(&callee.arguments.unwrap(), &around).unwrap();
    let mut command = command(case, &parcel);
    ask(&mut command);
    let output = command.output().unwrap();
    Gone { parcel, output }
}

fn run(case: &str) -> Gone {
    run_with(case, |_, _| (), |_| ())
}

#[test]
fn what_returns_has_a_result() {
    let gone = run("adds");
    assert_eq!((gone.result::<u32>(), gone.parcel.stage()), (7, Stage::Begun));
    assert_eq!(run("pointer").result::<u64>(), 42);
    assert_eq!(run("large").result::<String>().len(), 10_000_000);
}

#[test]
fn a_panic_is_told_and_printed() {
    let gone = run("panics");
    let note = gone.panic();
    assert_eq!((note.message.as_str(), note.thread.as_str(), note.backtrace.as_ref()), ("boom 1", "main", None));
    let place = note.place.unwrap();
    assert!(place.file.ends_with("enter/tests.rs") && place.column > 1, "{place:?}");
    let (stderr, place) = (gone.stderr(), format!("{}:{}:{}", place.file, place.line, place.column));
    assert!(stderr.contains("boom 1") && stderr.contains(&place), "{stderr}");
}

#[test]
fn a_backtrace_comes_where_it_is_asked_for() {
    let gone = run_with(
        "panics",
        |_, _| (),
        |command| {
            command.env("RUST_BACKTRACE", "1");
        },
    );
    let stack = gone.panic().backtrace.unwrap();
    assert!(stack.contains("cases"), "{stack}");
}

#[test]
fn the_panic_that_ended_it_is_the_one() {
    for (case, message, thread, has_place) in [
        ("throws", "thrown", "main", false),
        ("no_text", "Box<dyn Any>", "main", true),
        ("caught", "the last", "main", true),
        ("thread", "of the function", "main", true),
        ("joined", "in a thread", "helper", true),
        ("trap", "Box<dyn Any>", "main", true),
        ("result_in_drop", "dropped", "main", true),
    ] {
        let note = run(case).panic();
        assert_eq!(
            (note.message.as_str(), note.thread.as_str(), note.place.is_some()),
            (message, thread, has_place),
            "{case}"
        );
        assert!(!note.is_fatal);
    }
}

#[test]
fn one_that_aborts_is_known() {
    for (case, message) in [("in_drop", "in drop"), ("cannot_unwind", "on the edge")] {
        let gone = run(case);
        assert_eq!((gone.parcel.outcome(), gone.output.status.signal()), (Outcome::Nothing, Some(6)), "{case}");
        let note = gone.parcel.panic().unwrap();
        assert_eq!((note.message.as_str(), note.is_fatal), (message, true), "{case}: {}", gone.stderr());
    }
}

#[test]
fn an_exit_says_nothing() {
    let gone = run("exits");
    assert_eq!((gone.parcel.outcome(), gone.output.status.code()), (Outcome::Nothing, Some(3)));
    assert_eq!((gone.parcel.stage(), gone.parcel.panic()), (Stage::Begun, None));
}

#[test]
fn a_result_that_cannot_be_sent_says_why() {
    for (case, expected) in
        [("unfaithful", "cannot be told from `None`"), ("vicious_result", "its `Serialize` panicked at ")]
    {
        let gone = run(case);
        let Outcome::NotSerialized(why) = gone.parcel.outcome() else { panic!("{:?}", gone.parcel.outcome()) };
        assert!(why.contains(expected), "{why}");
        assert_eq!(gone.output.status.code(), Some(101));
    }
}

#[test]
fn a_result_without_end_is_too_large() {
    // As much as could be mapped with so many addresses.
    let few = |command: &mut Command| {
        let program = command.get_program().to_owned();
        let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
        let mut limited = Command::new("sh");
        limited.args(["-c", "ulimit -v 600000; exec \"$0\" \"$@\""]).arg(program).args(arguments);
        for (key, value) in command.get_envs() {
            if let Some(value) = value {
                limited.env(key, value);
            }
        }
        *command = limited;
    };
    let callee = cases().into_iter().find(|(name, _)| *name == "endless").unwrap().1;
    let parcel = Parcel::pack(&callee.arguments.clone().unwrap(), &own_surroundings(&callee)).unwrap();
    let mut limited = command("endless", &parcel);
    few(&mut limited);
    limited.stdin(Stdio::from(parcel.descriptor().unwrap()));
    let output = limited.output().unwrap();
    let Outcome::TooLarge { limit } = parcel.outcome() else { panic!("{:?} {output:?}", parcel.outcome()) };
    assert!(limit < crate::limits::RESULT_BYTES && limit > 64 << 20, "{limit}");
    assert_eq!(output.status.code(), Some(101));
}

#[test]
fn arguments_that_are_something_else_are_not_understood() {
    for (case, expected) in
        [("vicious_arguments", "its `Deserialize` panicked at "), ("other_arguments", "invalid type")]
    {
        let gone = run(case);
        let Outcome::NotUnderstood(why) = gone.parcel.outcome() else { panic!("{:?}", gone.parcel.outcome()) };
        assert!(why.contains(expected), "{why}");
        assert_eq!((gone.parcel.stage(), gone.output.status.code()), (Stage::Packed, Some(101)));
    }
}

#[test]
fn what_was_printed_without_a_newline_arrives() {
    let gone = run("prints");
    gone.result::<()>();
    assert!(gone.stdout().ends_with("no newline"), "{}", gone.stdout());
}

#[test]
fn a_fork_that_comes_to_the_end_has_no_say() {
    assert_eq!(run("forks").result::<String>(), "the parent");
}

#[test]
fn it_knows_its_surroundings() {
    let gone = run("surroundings");
    assert_eq!(
        gone.result::<Vec<String>>(),
        ["work", "7", "peer 7", "127.0.0.1", "db", "5432", "1", "/tmp/db", "http://127.0.0.1:5432/a"]
    );
    let message = run("stranger").panic().message;
    assert_eq!(message, "`work` knows no process `bd`: there is `db`");
}

#[test]
fn it_rings_when_it_begins_and_when_it_is_ready() {
    for (waits_for_ready, case) in [(false, "adds"), (true, "ready"), (true, "closes_all")] {
        let bell = Bell::new().unwrap();
        let waits = |around: &mut Surroundings, _: &mut Callee| around.waits_for_ready = waits_for_ready;
        let gone = run_with(case, waits, |command| {
            command.env(format!("{CASE}_ROPE"), "1").stderr(Stdio::from(OwnedFd::from(bell.rope().unwrap())));
        });
        assert!(crate::sys::fd::is_readable_until(bell.as_fd(), std::time::Instant::now()), "{case}");
        let stage = if waits_for_ready { Stage::SaidReady } else { Stage::Begun };
        assert_eq!(
            (gone.parcel.stage(), gone.output.status.code()),
            (stage, Some(0)),
            "{case} {:?}",
            gone.parcel.panic()
        );
    }
}

#[test]
fn a_request_to_end_ends_it_unless_somebody_listens() {
    assert_eq!(run("dies").output.status.signal(), Some(15));
    assert_eq!(
        run("terminates").result::<Vec<String>>(),
        ["first", "second", "first", "second", "late", "asked: true"]
    );
}

fn double(number: u64) -> u64 {
    number * 2
}

fn caught() {
    let _ = catch_unwind(|| panic!("the first"));
    let _ = std::thread::spawn(|| panic!("elsewhere")).join();
    panic!("the last");
}

fn thread() {
    let panicking = std::thread::spawn(|| panic!("in a thread"));
    let _ = panicking.join();
    let guard = Guard;
    std::mem::forget(guard);
    panic!("of the function");
}

fn joined() {
    let helper =
        std::thread::Builder::new().name("helper".to_owned()).spawn(|| -> () { panic!("in a thread") }).unwrap();
    if let Err(payload) = helper.join() {
        std::panic::resume_unwind(payload);
    }
}

struct Guard;

impl Drop for Guard {
    fn drop(&mut self) {
        panic!("in drop");
    }
}

struct Trap;

impl Drop for Trap {
    fn drop(&mut self) {
        panic!("nobody is to drop this");
    }
}

fn in_drop() {
    let _guard = Guard;
    panic!("in the body");
}

extern "C" fn cannot_unwind() {
    panic!("on the edge");
}

/// Panics when it is serialized as 1, and when it is deserialized as 2.
struct Vicious(u8);

impl Serialize for Vicious {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        assert_ne!(self.0, 1, "not me");
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Vicious {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vicious, D::Error> {
        let number = u8::deserialize(deserializer)?;
        assert_ne!(number, 2, "not me");
        Ok(Vicious(number))
    }
}

#[derive(Serialize, Deserialize)]
struct DropsBadly(u8);

impl Drop for DropsBadly {
    fn drop(&mut self) {
        panic!("dropped");
    }
}

#[derive(Deserialize)]
struct Endless;

impl Serialize for Endless {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let piece = "x".repeat(1 << 24);
        serializer.collect_seq(std::iter::repeat_n(piece, 1000))
    }
}

#[derive(Deserialize)]
struct OneWay;

impl Serialize for OneWay {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("something else")
    }
}

fn prints() {
    print!("no newline");
}

fn forks() -> String {
    let pid = crate::sys::term::fork_for_tests();
    if pid == 0 {
        return "the child".to_owned();
    }
    crate::sys::child::wait_for(pid);
    "the parent".to_owned()
}

fn surroundings() -> Vec<String> {
    let (own, db) = (current(), current().peer("db"));
    let ports: Vec<String> = own.ports().map(|(name, port)| format!("{name} {port}")).collect();
    assert!(try_current().is_some() && own.peers().count() == 1);
    let numbers = [db.port().to_string(), db.port_of("peer").to_string()];
    let mut all = vec![own.name().to_owned(), own.port_of("peer").to_string(), ports.join(","), own.host().to_string()];
    all.push(db.name().to_owned());
    all.extend(numbers);
    all.extend([db.dir().display().to_string(), db.url("/a")]);
    all
}

fn ready() {
    current().ready();
    current().ready();
}

fn closes_all() {
    crate::sys::platform::close_from(3);
    // One of them has the number of the rope now.
    let files: Vec<_> = (0..8).map(|_| std::fs::File::open("/dev/null").unwrap()).collect();
    current().ready();
    drop(files);
}

fn raise_term() {
    crate::sys::child::signal(crate::sys::child::own_pid(), 15).unwrap();
}

fn terminates() -> Vec<String> {
    let (sender, receiver) = std::sync::mpsc::channel();
    assert!(!current().terminating());
    let [first, late] = [sender.clone(), sender.clone()];
    let mut late = Some(late);
    current().on_terminate(move || {
        first.send("first").unwrap();
        if let Some(late) = late.take() {
            current().on_terminate(move || late.send("late").unwrap());
            panic!("the others are called all the same");
        }
    });
    current().on_terminate(move || sender.send("second").unwrap());
    let mut heard = Vec::new();
    for calls in [2, 3] {
        raise_term();
        heard.extend(receiver.iter().take(calls).map(str::to_owned));
    }
    stdout().flush().unwrap();
    heard.push(format!("asked: {}", current().terminating()));
    heard
}
