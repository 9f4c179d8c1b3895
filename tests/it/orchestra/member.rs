//! Taking a stack, or one member and what depends on it, down and up.

use std::fs;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use expect_test::expect;
use pkit_test::{
    Error, Executor, Ground, Need, Process, Restart, Result, Spec, Stack, Supervision, orchestra, orchestrate, output,
    simple, with_processes,
};

use super::panic_text;
use crate::child::{Child, HANG, child};
use crate::text::normalised;

/// What happened, in order.
#[derive(Clone, Default)]
struct Story(Arc<Mutex<Vec<String>>>);

impl Story {
    fn note(&self, what: &str, process: &Process) {
        self.0.lock().unwrap().push(format!("{what}{}", process.name()));
    }

    /// One that tells of its starts and its exits.
    fn spec(&self, sleeper: &Child) -> Spec {
        let (up, down) = (self.clone(), self.clone());
        output(sleeper.with(""), "sleeper")
            .on_start(move |process| up.note("+", process))
            .on_exit(move |process, _| down.note("-", process))
    }

    #[track_caller]
    fn is(&self, expected: &str) {
        assert_eq!(std::mem::take(&mut *self.0.lock().unwrap()).join(" "), expected);
    }

    /// What came in any order.
    #[track_caller]
    fn forget(&self) {
        self.0.lock().unwrap().clear();
    }
}

/// `web` needs `api` and `cache`, `api` needs `db`; `other` needs nobody.
fn stack(sleeper: &Child, story: &Story) -> Stack {
    let spec = || story.spec(sleeper);
    let stack = orchestra()
        .with("web", spec().after("api").after("cache"))
        .with("api", spec().env("DB", "{db.dir}"))
        .with("db", spec())
        .with("cache", spec())
        .with("other", spec().env("DB", "{&db.dir}"));
    let stack = stack.start().unwrap();
    story.forget();
    stack
}

#[test]
fn what_depends_on_a_member_goes_down_before_it_and_comes_up_after_it() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let stack = stack(&sleeper, &story);
    stack.member("db").stop().unwrap();
    story.is("-web -api -db");
    stack.member("db").stop().unwrap();
    story.is("");
    stack.member("db").start().unwrap();
    story.is("+db +api +web");
    stack.member("db").start().unwrap();
    story.is("");
    stack.member("web").restart(Restart::Graceful).unwrap();
    story.is("-web +web");
    stack.member("api").restart(Restart::Forced).unwrap();
    story.is("-web -api +api +web");
    assert_eq!(stack["web"].exit().unwrap().signal(), Some(9));
}

#[test]
fn only_what_a_stop_took_down_comes_up() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let stack = stack(&sleeper, &story);
    stack["web"].stop().unwrap();
    story.is("-web");
    stack.member("db").stop().unwrap();
    stack.member("db").start().unwrap();
    story.is("-api -db +db +api");
    stack["web"].start().unwrap();
    story.forget();
    stack.member("db").stop().unwrap();
    stack["api"].stop().unwrap();
    stack.member("db").start().unwrap();
    story.is("-web -api -db +db");
    assert!(!stack["api"].is_alive(), "the test has stopped it as well");
    stack["api"].start().unwrap();
    stack.member("api").start().unwrap();
    story.is("+api +web");
}

#[test]
fn what_needs_two_that_are_down_waits_for_both() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let stack = stack(&sleeper, &story);
    stack.member("db").stop().unwrap();
    stack.member("cache").stop().unwrap();
    story.is("-web -api -db -cache");
    stack.member("db").start().unwrap();
    story.is("+db +api");
    stack.member("cache").start().unwrap();
    story.is("+cache +web");
}

#[test]
fn the_whole_goes_down_and_up() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let spec = || story.spec(&sleeper);
    let stack = orchestrate([("c", spec().after("b")), ("b", spec().after("a")), ("a", spec())]).start().unwrap();
    story.forget();
    stack.restart(Restart::Forced).unwrap();
    story.is("-c -b -a +a +b +c");
    stack.stop().unwrap();
    story.is("-c -b -a");
    stack.start().unwrap();
    story.is("+a +b +c");
    stack["b"].kill().unwrap();
    stack.start().unwrap();
    story.is("-b +b");
    assert_eq!(sleeper.count(), 3);
}

#[test]
fn a_job_that_is_done_is_done() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let migrate = simple(exits.with("0")).expect_exit(0).after("db").on_start(|job| _ = job.wait());
    let fixes = simple(exits.with("0")).supervise(Supervision::transient()).on_start(|job| _ = job.wait());
    let stack = orchestra()
        .with("db", output(sleeper.with(""), "sleeper"))
        .with("migrate", migrate)
        .with("fixes", fixes.after("migrate"))
        .with("api", output(sleeper.with(""), "sleeper").after("fixes"))
        .start()
        .unwrap();
    let restarts = || ["db", "migrate", "fixes", "api"].map(|name| stack[name].restarts());
    stack.restart(Restart::Forced).unwrap();
    assert_eq!(restarts(), [1, 0, 0, 1]);
    stack.member("db").restart(Restart::Forced).unwrap();
    assert_eq!(restarts(), [2, 0, 0, 2]);
    stack.member("migrate").start().unwrap();
    assert_eq!(restarts(), [2, 1, 0, 2], "whoever names it wants it done again");
}

#[test]
fn all_is_back_after_a_while_without() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let stack = stack(&sleeper, &story);
    stack["other"].stop().unwrap();
    story.forget();
    let seen = stack.member("api").stopped(|| sleeper.count()).unwrap();
    story.is("-web -api +api +web");
    let seen = (seen, stack.stopped(|| sleeper.count()).unwrap());
    assert_eq!((seen, sleeper.count(), stack["other"].is_alive()), ((2, 0), 4, false));
}

#[test]
fn all_is_back_after_a_panic() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let stack = stack(&sleeper, &story);
    let text = panic_text(|| stack.member("db").stopped(|| -> () { panic!("without a database") }));
    story.is("-web -api -db +db +api +web");
    assert_eq!(text, "without a database");
    let text = panic_text(|| stack.stopped(|| -> () { panic!("with nothing") }));
    assert_eq!((text.as_str(), sleeper.count()), ("with nothing", 5));
}

#[test]
fn what_does_not_come_back_is_said_and_no_panic_while_unwinding() {
    let sleeper = child("sleeper");
    let flag = sleeper.file("flag");
    fs::write(&flag, "").unwrap();
    let script = format!("test -e '{}' || exit 3; exec {}", flag.display(), sleeper.with(""));
    let stack = orchestra()
        .with("db", output(pkit_test::sh(script), "sleeper"))
        .with("api", output(sleeper.with(""), "sleeper").after("db"))
        .with("other", output(sleeper.with(""), "sleeper"))
        .start()
        .unwrap();
    let error = stack.stopped(|| fs::remove_file(&flag).unwrap()).unwrap_err();
    let titles = |error: &Error| {
        let text = normalised(&error.to_string());
        text.lines().filter(|line| !line.starts_with(' ')).collect::<Vec<_>>().join("\n")
    };
    expect!["`db` exited before it was ready"].assert_eq(&titles(&error));
    assert_eq!(["db", "api", "other"].map(|name| stack[name].is_alive()), [false, false, true]);
    expect!["`db` exited before it was ready"].assert_eq(&titles(&stack.start().unwrap_err()));
    let text = panic_text(|| stack.stopped(|| -> () { panic!("the body's own") }));
    assert_eq!(text, "the body's own");
    fs::write(&flag, "").unwrap();
    stack.start().unwrap();
    assert_eq!(sleeper.count(), 3);
}

#[test]
fn what_cannot_be_stopped_is_tried_and_said() {
    let (sleeper, deaf) = (child("sleeper"), child("deaf"));
    let must = output(deaf.with(""), "deaf").must_stop_gracefully().stop_timeout(Duration::from_millis(50));
    let stack = orchestra()
        .with("db", output(sleeper.with(""), "sleeper"))
        .with("deaf", must.clone().after("db"))
        .with("deafer", must.after("deaf"))
        .start()
        .unwrap();
    let text = stack.member("db").stop().unwrap_err().to_string();
    assert_eq!((text.matches("had to be killed").count(), sleeper.count()), (2, 0), "{text}");
    stack.member("db").start().unwrap();
    let text = stack.member("db").stopped(|| -> () { unreachable!("nothing is done then") }).unwrap_err().to_string();
    assert_eq!((text.matches("had to be killed").count(), sleeper.count(), deaf.count()), (2, 1, 2), "{text}");
}

#[test]
fn a_stack_in_a_stack_is_a_member() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let spec = || story.spec(&sleeper);
    let storage = orchestra().with("db", spec()).with("cache", spec().after("db"));
    let stack = orchestra()
        .with("app", spec().env("DB", "{storage.db.dir}"))
        .with("inner", orchestra().with("web", spec().after("app")).with("tool", spec()))
        .with("storage", storage)
        .start()
        .unwrap();
    story.forget();
    stack.member("storage").stop().unwrap();
    story.is("-inner.web -app -storage.cache -storage.db");
    stack.member("storage").start().unwrap();
    story.is("+storage.db +storage.cache +app +inner.web");
    let storage: &Stack = stack.get("storage");
    storage.member("db").restart(Restart::Graceful).unwrap();
    // What is outside needs the whole of it.
    story.is("-inner.web -app -storage.cache -storage.db +storage.db +storage.cache +app +inner.web");
    storage.stop().unwrap();
    story.is("-storage.cache -storage.db");
    storage.start().unwrap();
    story.is("+storage.db +storage.cache");
}

/// Starts two processes and is none.
struct Pair(Spec, Spec);

/// A value that needs others and starts nothing.
struct Step(&'static str);

impl Executor for Pair {
    type Handle = [Process; 2];

    fn start_on(self, ground: &Ground) -> Result<[Process; 2]> {
        Ok([self.0.start_on(ground)?, self.1.start_on(ground)?])
    }
}

impl Executor for Step {
    type Handle = ();

    fn needs(&self) -> Vec<Need> {
        vec![Need::first(self.0)]
    }

    fn start_on(self, _: &Ground) -> Result<()> {
        Ok(())
    }
}

#[test]
fn a_member_that_is_no_process_is_those_that_it_has_started() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let spec = || story.spec(&sleeper);
    let stack = orchestra().with("pair", Pair(spec(), spec())).with("app", spec().after("pair")).start().unwrap();
    story.forget();
    stack.member("pair").restart(Restart::Forced).unwrap();
    story.is("-app -pair -pair +pair +pair +app");
}

#[test]
fn an_order_goes_through_a_member_without_a_process() {
    let (sleeper, story) = (child("sleeper"), Story::default());
    let spec = || story.spec(&sleeper);
    let stack = orchestra()
        .with("app", spec().after("second"))
        .with("second", Step("first"))
        .with("first", Step("db"))
        .with("db", spec())
        .start()
        .unwrap();
    story.forget();
    stack.member("db").restart(Restart::Forced).unwrap();
    story.is("-app -db +db +app");
    stack.member("first").stop().unwrap();
    story.is("-app");
    stack.member("first").start().unwrap();
    story.is("+app");
}

#[test]
fn a_wrong_name_is_a_panic_that_helps() {
    let stack = orchestrate([("api", simple("sleep 60"))]).start().unwrap();
    expect!["there is no `db` in the stack, but `api`"].assert_eq(&panic_text(|| stack.member("db")));
}

#[with_processes(
    storage = orchestra().with("db", simple("sleep 60")).with("cache", simple("sleep 60").after("db")),
    app = simple("sleep 60").after("storage"),
)]
#[test]
fn members_can_be_handled_in_a_test_with_the_attribute(storage: Stack, app: &Process) {
    storage.member("db").stopped(|| assert!(!app.is_alive() && !storage["cache"].is_alive())).unwrap();
    assert!(app.is_alive() && storage["cache"].is_alive());
    storage.restart(Restart::Graceful).unwrap();
    assert_eq!((storage["db"].restarts(), app.restarts()), (2, 1));
}

#[with_processes(
    db = simple("sleep 60").supervise(Supervision::permanent()),
    job = simple("sleep 60").after("db"),
)]
#[test]
fn supervision_works_in_a_test_with_the_attribute(db: Process, job: Process) {
    db.signal(pkit_test::Signal::Kill).unwrap();
    assert_eq!((db.wait_restart(0, HANG).unwrap(), job.restarts()), (1, 0));
}

#[test]
fn whoever_waits_for_a_restart_sees_that_of_a_stack_or_a_member() {
    let polite = child("polite");
    // Slow enough to be found down.
    let spec = output(polite.with("50"), "ready");
    let stack = orchestrate([("db", spec.clone()), ("api", spec.after("db"))]).start().unwrap();
    let (api, db) = (&stack["api"], stack.member("db"));
    let wait = |beyond| api.wait_restart(beyond, HANG).unwrap();
    thread::scope(|threads| {
        let waiting = threads.spawn(|| wait(0));
        stack.restart(Restart::Graceful).unwrap();
        assert_eq!(waiting.join().unwrap(), 1);
        let waiting = threads.spawn(|| wait(1));
        db.restart(Restart::Graceful).unwrap();
        assert_eq!(waiting.join().unwrap(), 2);
    });
}
