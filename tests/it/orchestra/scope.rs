//! `orchestrated`: whatever becomes of the body, nothing is left after it.

use std::fs;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use pkit_test::{Executor, Ground, Result, Spec, Stack, orchestra, orchestrate, orchestrated, output, simple};

use super::panic_text;
use crate::child::child;

#[test]
fn the_value_of_the_body_is_returned() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    let value = orchestrated([("a", spec()), ("b", spec())], |stack| {
        assert_eq!(sleeper.count(), 2);
        stack["a"].name().to_owned()
    });
    assert_eq!((value.unwrap().as_str(), sleeper.count()), ("a", 0));
}

#[test]
fn the_body_does_not_run_when_something_did_not_start() {
    let exits = child("exits");
    let stack = orchestrate([("broken", output(exits.with("1"), "never"))]);
    let error = orchestrated(stack, |_| -> () { unreachable!("the stack is not up") }).unwrap_err();
    assert!(error.is_exit(), "{error}");
}

#[test]
fn a_panic_goes_on_when_all_is_gone() {
    let (sleeper, deaf) = (child("sleeper"), child("deaf"));
    let spec = || output(sleeper.with(""), "sleeper");
    let inner = orchestra()
        .with("inner", spec())
        .with("deaf", output(deaf.with(""), "deaf").stop_timeout(std::time::Duration::from_millis(50)));
    let stack = orchestra().with("storage", inner).with("b", spec());
    assert_eq!(panic_text(|| orchestrated(stack, |_| -> () { panic!("the body's own") })), "the body's own");
    assert_eq!(sleeper.count() + deaf.count(), 0);
}

#[test]
fn an_early_return_stops_everything() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    let early = |stack: &Stack| -> Result<()> {
        stack["a"].start()?;
        unreachable!("it runs already")
    };
    let inner = orchestra().with("b", spec());
    let value = orchestrated(orchestra().with("a", spec()).with("inner", inner), early).unwrap();
    assert!(value.unwrap_err().is_state());
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn an_error_at_the_start_of_a_stack_in_the_scope_stops_everything() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let spec = || output(sleeper.with(""), "sleeper");
    let value = orchestrated([("a", spec())], |_| {
        orchestrate([("b", spec()), ("broken", output(exits.with("1"), "never").after("b"))]).start().map(drop)
    });
    assert!(value.unwrap().unwrap_err().is_exit());
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn a_panic_is_more_important_than_a_death() {
    let exits = child("exits");
    let stack = orchestrate([("worker", simple(exits.with("1")))]);
    let body = |stack: &Stack| -> () {
        stack["worker"].wait().unwrap();
        panic!("the body's own")
    };
    assert_eq!(panic_text(|| orchestrated(stack, body)), "the body's own");
}

#[test]
fn a_panic_stops_a_stack_that_is_held() {
    let sleeper = child("sleeper");
    let stack = orchestrate([("a", output(sleeper.with(""), "sleeper"))]);
    let text = panic_text(|| {
        let stack = stack.start().unwrap();
        assert!(stack["a"].is_alive());
        panic!("while it is up")
    });
    assert_eq!((text.as_str(), sleeper.count()), ("while it is up", 0));
}

#[test]
fn everything_ends_in_reverse_order() {
    let order = child("order");
    let file = order.file("stops");
    let spec = |name: &str| output(order.with(&format!("{name} '{}' --ms 5", file.display())), "ready");
    let stack = orchestrate([("c", spec("c").after("b")), ("a", spec("a")), ("b", spec("b").after("a"))]);
    orchestrated(stack, |_| ()).unwrap();
    assert_eq!(fs::read_to_string(&file).unwrap(), "c\nb\na\n");
}

#[test]
fn what_the_body_started_again_ends_as_well() {
    let sleeper = child("sleeper");
    let stack = orchestrate([("a", output(sleeper.with(""), "sleeper"))]);
    orchestrated(stack, |stack| {
        stack["a"].kill().unwrap();
        stack["a"].start().unwrap();
        assert_eq!(sleeper.count(), 1);
    })
    .unwrap();
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn scopes_can_be_inside_each_other() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    let value = orchestrated([("a", spec())], |outer| {
        let inner = orchestrated([("a", spec())], |inner| inner["a"].pid() != outer["a"].pid()).unwrap();
        (inner, sleeper.count())
    });
    assert_eq!(value.unwrap(), (true, 1));
}

/// Loses the handle of a part; its own panics, as that of a mock that was not called.
struct Careless(Spec);

struct Mock;

impl Executor for Careless {
    type Handle = Mock;

    fn start_on(self, ground: &Ground) -> Result<Mock> {
        std::mem::forget(ground.child("part").start(self.0)?);
        Ok(Mock)
    }
}

impl Drop for Mock {
    fn drop(&mut self) {
        panic!("it was not called")
    }
}

#[test]
fn a_handle_that_panics_leaves_nothing() {
    let sleeper = child("sleeper");
    let stack = || {
        let spec = output(sleeper.with(""), "sleeper");
        orchestra().with("careless", Careless(spec.clone())).with("other", spec)
    };
    assert_eq!(panic_text(|| orchestrated(stack(), |_| ())), "it was not called");
    assert_eq!(sleeper.count(), 0);
    assert_eq!(panic_text(|| drop(stack().start())), "it was not called");
    assert_eq!(sleeper.count(), 0);
}

#[test]
fn a_handle_that_panics_while_the_test_does_ends_nothing_but_the_test() {
    let sleeper = child("sleeper");
    let careless = || orchestra().with("careless", Careless(output(sleeper.with(""), "sleeper")));
    let text = panic_text(|| {
        let _stack = careless().start();
        panic!("what the body says")
    });
    assert_eq!((text.as_str(), sleeper.count()), ("what the body says", 0));
    let text = panic_text(|| orchestrated(careless(), |_| panic!("what the body says")));
    assert_eq!((text.as_str(), sleeper.count()), ("what the body says", 0));
}

/// Has a thread that starts something when it is told to.
struct Late(Spec, Receiver<()>, Sender<Result<()>>);

impl Executor for Late {
    type Handle = ();

    fn start_on(self, ground: &Ground) -> Result<()> {
        let ground = ground.child("late");
        thread::spawn(move || {
            let _ = self.1.recv(); // Whoever tells it may also just go.
            let _ = self.2.send(ground.start(self.0).map(std::mem::forget));
        });
        Ok(())
    }
}

#[test]
fn after_the_end_nothing_is_started() {
    let sleeper = child("sleeper");
    let ((go, told), (result, results)) = (channel(), channel());
    let late = Late(output(sleeper.with(""), "sleeper"), told, result);
    orchestrated(orchestra().with("executor", late), |_| ()).unwrap();
    drop(go);
    let error = results.recv().unwrap().unwrap_err().to_string();
    assert_eq!((error.as_str(), sleeper.count()), ("`executor.late` was given up: its stack has ended", 0));
}
