//! The first failure stops the rest at once, and nothing is left.

use std::fs;

use expect_test::{Expect, expect};
use pkit_test::{Orchestra, Spec, orchestra, orchestrate, output, simple, tcp};

use crate::child::{Child, HANG, child};
use crate::text::normalised;

/// Far longer than anybody waits for a test.
fn patient(sleeper: &Child) -> Spec {
    output(sleeper.with(""), "this is never said").start_timeout(HANG * 60)
}

/// The first line of the error of a stack, and how many errors it is.
#[track_caller]
fn check(stack: Orchestra, expected: Expect) {
    let text = normalised(&stack.start().unwrap_err().to_string());
    let titles: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    expected.assert_eq(&titles.join("\n"));
}

#[test]
fn a_slow_sibling_is_given_up() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    check(
        orchestrate([("slow", patient(&sleeper)), ("broken", output(exits.with("1"), "never"))]),
        expect!["`broken` exited before it was ready"],
    );
}

#[test]
fn so_are_many_of_them_whatever_they_wait_for() {
    let (sleeper, deaf, slow, exits) = (child("sleeper"), child("deaf"), child("slow"), child("exits"));
    let never = |spec: Spec| spec.start_timeout(HANG * 60).stop_timeout(std::time::Duration::from_millis(50));
    let stack = (0..10).fold(orchestra(), |all, index| all.with(format!("n{index}"), patient(&sleeper)));
    let stack = stack
        .with("deaf", never(output(deaf.with(""), "never")))
        .with("mute", never(tcp(sleeper.with(""), 0)))
        .with("cold", never(pkit_test::http(slow.with("0 {port} --ok /other"), "/")))
        .with("broken", output(exits.with("1 --ms 20"), "never"));
    check(stack, expect!["`broken` exited before it was ready"]);
}

#[test]
fn what_is_up_already_ends_in_reverse_order() {
    let (order, exits) = (child("order"), child("exits"));
    let file = order.file("stops");
    let spec = |name: &str| output(order.with(&format!("{name} '{}'", file.display())), "ready");
    let stack = orchestrate([
        ("broken", output(exits.with("0"), "never").after("b")),
        ("b", spec("b").after("a")),
        ("a", spec("a")),
    ]);
    check(stack, expect!["`broken` exited before it was ready"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), "b\na\n");
}

#[test]
fn what_was_to_come_is_never_started() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let never = simple(sleeper.with("")).on_start(|_| panic!("it was started"));
    let stack = orchestrate([
        ("late", never.clone().after("broken")),
        ("later", never.after("late")),
        ("broken", output(exits.with("1"), "x")),
    ]);
    check(stack, expect!["`broken` exited before it was ready"]);
}

#[test]
fn a_program_that_is_missing_stops_the_rest() {
    let sleeper = child("sleeper");
    let stack = orchestrate([("slow", patient(&sleeper)), ("missing", simple("pkit-no-such-program"))]);
    check(stack, expect!["`missing` was not started: program `pkit-no-such-program` is in no directory of PATH"]);
}

#[test]
fn a_deadline_stops_the_rest() {
    let sleeper = child("sleeper");
    let short = patient(&sleeper).start_timeout(std::time::Duration::from_millis(50));
    let stack = orchestrate([("slow", patient(&sleeper)), ("short", short)]);
    let error = stack.start().unwrap_err();
    assert!(error.is_timeout() && error.to_string().starts_with("`short` "), "{error}");
}

#[test]
fn no_logs_are_left_of_what_was_given_up() {
    let (sleeper, exits) = (child("sleeper"), child("exits"));
    let up = output(sleeper.with(""), "sleeper").env("DIR", "{dir}");
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let noted = std::sync::Arc::clone(&seen);
    let up = up.on_start(move |process| {
        noted.lock().unwrap().extend([process.log_path(), process.dir().to_owned()]);
    });
    check(
        orchestrate([("up", up), ("broken", output(exits.with("1"), "never").after("up"))]),
        expect!["`broken` exited before it was ready"],
    );
    let seen = seen.lock().unwrap();
    assert_eq!(seen.len(), 2);
    assert_eq!(seen.iter().filter(|path| path.exists()).collect::<Vec<_>>(), Vec::<&std::path::PathBuf>::new());
}

#[test]
fn a_port_that_nobody_has_is_not_waited_for() {
    let sleeper = child("sleeper");
    check(
        orchestrate([("slow", patient(&sleeper)), ("broken", simple("echo {slow.port}"))]),
        expect!["`broken` was not started: {slow.port} means nothing here"],
    );
    assert_eq!(sleeper.count(), 0);
}
