//! The handle of a stack.

use expect_test::expect;
use pkit_test::{Process, Stack, orchestra, orchestrate, output};

use super::panic_text;
use crate::child::{HANG, child};

#[test]
fn a_wrong_name_or_type_is_a_panic_that_helps() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    let inner = orchestra().with("db", spec());
    let stack = orchestra().with("storage", inner).with("api", spec()).start().unwrap();
    expect!["there is no `cache` in the stack, but `storage`, `api`"].assert_eq(&panic_text(|| stack["cache"].pid()));
    expect!["there is no `db` in the stack, but `storage`, `api`"]
        .assert_eq(&panic_text(|| stack.get::<Process>("db").pid()));
    expect!["`storage` is not one process; `get` returns its handle"].assert_eq(&panic_text(|| stack["storage"].pid()));
    expect!["the handle of `api` is not a `Stack`"]
        .assert_eq(&panic_text(|| stack.get::<Stack>("api").names().count()));
    expect!["the handle of `api` is not a `Vec<(Process, &str)>`"]
        .assert_eq(&panic_text(|| stack.get::<Vec<(Process, &'static str)>>("api").len()));
    assert!(stack["api"].is_alive());
}

#[test]
fn an_empty_stack_is_one() {
    let stack = orchestra().start().unwrap();
    assert_eq!(stack.names().count(), 0);
    stack.stop().unwrap();
    expect!["there is no `db` in the stack: it is empty"].assert_eq(&panic_text(|| stack["db"].pid()));
}

#[test]
fn a_stack_can_be_stopped_twice_and_its_members_started_again() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    let stack = orchestrate([("a", spec()), ("b", spec().after("a"))]).start().unwrap();
    stack.stop().unwrap();
    stack.stop().unwrap();
    assert_eq!(sleeper.count(), 0);
    stack["b"].start().unwrap();
    stack["a"].start().unwrap();
    assert_eq!(sleeper.count(), 2);
}

#[test]
fn stopping_goes_on_after_an_error() {
    let (sleeper, deaf) = (child("sleeper"), child("deaf"));
    let short = std::time::Duration::from_millis(50);
    let must = output(deaf.with(""), "deaf").must_stop_gracefully().stop_timeout(short);
    let stack = orchestra()
        .with("a", output(sleeper.with(""), "sleeper"))
        .with("deaf", must.clone().after("a"))
        .with("deafer", must.after("deaf"))
        .start()
        .unwrap();
    let text = stack.stop().unwrap_err().to_string();
    assert_eq!((text.matches("had to be killed").count(), sleeper.count()), (2, 0), "{text}");
}

#[test]
fn a_stack_can_be_built_from_many() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    let from_vec = orchestrate(vec![("a".to_owned(), spec()), ("b".to_owned(), spec())]).start().unwrap();
    let collected: pkit_test::Orchestra = (0..100).map(|index| (format!("n{index}"), spec())).collect();
    let collected = collected.start().unwrap();
    assert_eq!((from_vec.names().count(), collected.names().count(), sleeper.count()), (2, 100, 102));
}

#[test]
fn dropping_a_stack_does_not_wait_for_an_exit() {
    let sleeper = child("sleeper");
    let job = output(sleeper.with(""), "sleeper").expect_exit(0).stop_timeout(HANG * 60);
    let inner = orchestra().with("job", job.clone());
    drop(orchestra().with("job", job).with("inner", inner).start().unwrap());
    assert_eq!(sleeper.count(), 0);
}
