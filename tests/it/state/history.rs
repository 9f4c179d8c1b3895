//! What a test that fails shows of its state.

use std::io::{self, BufRead as _, BufReader};
use std::process::Stdio;

use expect_test::{Expect, expect};
use regex_lite::Regex;

use crate::nested::{Ended, victim};
use crate::nextest;

/// What the victim shows of its state, without what differs from run to run.
fn shown(text: &str) -> String {
    let begin = text.find("the last changes:").map_or(text.len(), |at| at);
    let lines = text[begin..].lines().skip(1).map(str::trim).take_while(|line| line.starts_with('+'));
    let times = Regex::new(r"^\+[0-9.]+ (µs|ms|s) +").unwrap();
    let pids = Regex::new(r"pid \d+").unwrap();
    let blanks = Regex::new("  +").unwrap();
    let names = Regex::new("victims::history::[a-z_]+").unwrap();
    let plain = |line: &str| {
        let line = names.replace(line, "the test").into_owned();
        blanks.replace_all(&pids.replace(&times.replace(&line, "+T  "), "pid N"), "  ").into_owned() + "\n"
    };
    lines.map(plain).collect()
}

#[track_caller]
fn check(ended: &Ended, expected: &Expect) {
    assert!(!ended.status.success());
    let text = format!("{}{}", ended.stdout, ended.stderr);
    assert_eq!(text.matches("the last changes:").count(), 1, "{text}");
    expected.assert_eq(&shown(&text));
}

#[test]
fn a_failing_test_shows_the_last_changes() {
    for name in ["history::fails_with_the_attribute", "history::fails_with_a_state_by_itself"] {
        let victim = victim(name);
        let expected = expect![[r#"
            +T  the test (pid N)  set greeting = "hello"
            +T  the test (pid N)  increment n by 41, to 41
            +T  the test (pid N)  set n = 42
            +T  the test (pid N)  remove greeting
        "#]];
        let ended = victim.run();
        check(&ended, &expected);
        victim.is_gone(&ended);
        if let Some(ended) = nextest::run(&victim) {
            check(&ended, &expected);
        }
    }
}

#[test]
fn so_does_one_that_fails_in_a_function() {
    let victim = victim("history::fails_in_a_function");
    check(
        &victim.run(),
        &expect![[r#"
        +T  fails_there (pid N)  set greeting = "hello"
        +T  fails_there (pid N)  increment n by 41, to 41
        +T  fails_there (pid N)  set n = 42
        +T  fails_there (pid N)  remove greeting
    "#]],
    );
}

#[test]
fn so_does_one_whose_server_was_killed() {
    let ended = victim("history::fails_as_its_server_was_killed").run();
    assert!(ended.text().contains(" is gone"), "{}", ended.text());
    check(
        &ended,
        &expect![[r#"
        +T  the test (pid N)  set greeting = "hello"
        +T  the test (pid N)  increment n by 41, to 41
        +T  the test (pid N)  set n = 42
        +T  the test (pid N)  remove greeting
    "#]],
    );
}

#[test]
fn it_is_bounded() {
    let ended = victim("history::changes_a_lot").run();
    let lines: Vec<_> = ended.stdout.lines().filter(|line| line.contains("set n = [")).collect();
    assert!((10..=64).contains(&lines.len()), "{}", ended.stdout);
    assert!(lines.iter().all(|line| line.chars().count() < 300 && line.ends_with('…')), "{}", ended.stdout);
    assert!(lines.last().unwrap().contains("[999,"), "{}", ended.stdout);
}

#[test]
fn a_passing_test_shows_nothing() {
    let ended = victim("history::passes").run_uncaptured();
    assert!(ended.status.success() && !ended.text().contains("greeting"), "{}", ended.text());
}

/// Nobody can ask for them then: they have to be written already.
#[test]
fn a_killed_test_has_shown_the_last_changes() {
    let victim = victim("history::hangs");
    let mut command = victim.command();
    command.args(["--exact", &victim.path(), "--nocapture"]).stdin(Stdio::null());
    let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().ends_with("it hangs")));
    process.kill().unwrap();
    process.wait().unwrap();
    let text = io::read_to_string(process.stderr.take().unwrap()).unwrap();
    expect![[r#"
        +T  the test (pid N)  set greeting = "hello"
        +T  the test (pid N)  increment n by 41, to 41
        +T  the test (pid N)  set n = 42
        +T  the test (pid N)  remove greeting
    "#]]
    .assert_eq(&shown(&text));
}
