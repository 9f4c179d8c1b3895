//! What `orchestrated` says at its end about the processes that it held.

use std::time::Duration;

use expect_test::{Expect, expect};
use pkit_test::{Process, Signal, Spec, orchestrated, output, simple};

use crate::child::{HANG, child};
use crate::text::normalised;

const SHORT: Duration = Duration::from_millis(50);

/// The verdict about one process after the body did something to it.
#[track_caller]
fn check(spec: Spec, body: impl FnOnce(&Process), expected: Expect) {
    let verdict = orchestrated([("worker", spec)], |stack| body(&stack["worker"]));
    let text = verdict.map_or_else(|error| normalised(&error.to_string()), |()| "ok".to_owned());
    expected.assert_eq(&text);
}

fn ended(process: &Process) {
    assert!(process.wait_timeout(HANG).unwrap().is_some());
}

#[test]
fn an_exit_that_nobody_asked_for_fails_whatever_its_code() {
    let exits = child("exits");
    check(
        simple(exits.with("0 --say done")),
        ended,
        expect![[r#"
            `worker` ended during the test, and nobody asked it to
              spec:   simple("'CHILDREN/exits' 0 --say done")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/exits 0 --say done   pid N, in N ms
              exit:   exit code 0
              hint:   `.may_exit()` or `.expect_exit(code)` where that is right
              stderr: done"#]],
    );
    check(
        simple(exits.with("3")),
        ended,
        expect![[r#"
            `worker` ended during the test, and nobody asked it to
              spec:   simple("'CHILDREN/exits' 3")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/exits 3   pid N, in N ms
              exit:   exit code 3
              hint:   `.may_exit()` or `.expect_exit(code)` where that is right
              output: none"#]],
    );
    check(
        simple(exits.with("--signal SIGKILL")),
        ended,
        expect![[r#"
            `worker` ended during the test, and nobody asked it to
              spec:   simple("'CHILDREN/exits' --signal SIGKILL")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/exits --signal SIGKILL   pid N, in N ms
              exit:   signal 9 (SIGKILL)
              output: none"#]],
    );
}

#[test]
fn also_one_that_nobody_looked_at() {
    let crash = child("crash_later");
    let spec = output(crash.with("0 --code 1"), "up");
    check(
        spec,
        |process| {
            process.write_stdin("x").unwrap();
            ended(process);
            process.start().unwrap();
        },
        expect![[r#"
            `worker` ended during the test, and nobody asked it to
              spec:   output("'CHILDREN/crash_later' 0 --code 1", "up")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/crash_later 0 --code 1   pid N, in N ms
              exit:   exit code 1
              hint:   `.may_exit()` or `.expect_exit(code)` where that is right
              stdout: up"#]],
    );
}

#[test]
fn what_the_test_ends_is_no_death() {
    let (sleeper, deaf) = (child("sleeper"), child("deaf"));
    let spec = || output(sleeper.with(""), "sleeper");
    check(spec(), |process| process.kill().unwrap(), expect!["ok"]);
    check(spec(), |process| process.stop().unwrap(), expect!["ok"]);
    check(spec(), |process| process.terminate().unwrap(), expect!["ok"]);
    check(spec(), |process| drop(process.signal(Signal::Int)), expect!["ok"]);
    check(output(deaf.with(""), "deaf").stop_timeout(SHORT), |process| drop(process.terminate()), expect!["ok"]);
}

#[test]
fn one_that_may_exit_may() {
    let (exits, sleeper) = (child("exits"), child("sleeper"));
    check(simple(exits.with("9")).may_exit(), ended, expect!["ok"]);
    check(simple(exits.with("--signal SIGSEGV")).may_exit(), ended, expect!["ok"]);
    check(output(sleeper.with(""), "sleeper").may_exit(), |_| (), expect!["ok"]);
}

#[test]
fn an_expected_exit_must_come_as_expected() {
    let exits = child("exits");
    check(simple(exits.with("3")).expect_exit(3), ended, expect!["ok"]);
    check(simple(exits.with("3 --ms 20")).expect_exit(3).stop_timeout(HANG), |_| (), expect!["ok"]);
    check(
        simple(exits.with("0")).expect_exit(3),
        ended,
        expect![[r#"
            `worker` did not end with the expected exit code 3
              spec:   simple("'CHILDREN/exits' 0")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/exits 0   pid N, in N ms
              exit:   exit code 0
              output: none"#]],
    );
    check(
        simple(exits.with("--signal SIGABRT")).expect_exit(3),
        ended,
        expect![[r#"
            `worker` did not end with the expected exit code 3
              spec:   simple("'CHILDREN/exits' --signal SIGABRT")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/exits --signal SIGABRT   pid N, in N ms
              exit:   signal 6 (SIGABRT)
              output: none"#]],
    );
}

#[test]
fn an_expected_exit_that_never_comes_is_said() {
    let sleeper = child("sleeper");
    check(
        output(sleeper.with(""), "sleeper").expect_exit(0).stop_timeout(SHORT),
        |_| (),
        expect![[r#"
            `worker` was expected to end with exit code 0 and still runs
              spec:   output("'CHILDREN/sleeper'", "sleeper")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/sleeper   pid N, in N ms
              stdout: sleeper"#]],
    );
}

#[test]
fn what_is_stopped_before_its_expected_exit_has_had_no_chance() {
    let sleeper = child("sleeper");
    check(output(sleeper.with(""), "sleeper").expect_exit(0), |process| process.stop().unwrap(), expect!["ok"]);
}

#[test]
fn a_stop_that_ends_with_the_expected_code_meets_it() {
    let polite = child("polite");
    check(output(polite.with("--code 4"), "ready").expect_exit(4), |process| process.stop().unwrap(), expect!["ok"]);
}

#[test]
fn what_must_stop_gracefully_and_does_not_fails() {
    let deaf = child("deaf");
    let spec = || output(deaf.with(""), "deaf").stop_timeout(SHORT);
    check(spec(), |_| (), expect!["ok"]);
    check(
        spec().must_stop_gracefully(),
        |_| (),
        expect![[r#"
            `worker` had to be killed
              spec:   output("'CHILDREN/deaf'", "deaf")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/deaf   pid N, in N ms
              why:    it was still there 50 ms after SIGTERM, and it must stop gracefully"#]],
    );
    check(
        spec().must_stop_gracefully(),
        |process| drop(process.stop()),
        expect![[r#"
            `worker` had to be killed
              spec:   output("'CHILDREN/deaf'", "deaf")   tests/it/orchestra/verdict.rs
              ran:    CHILDREN/deaf   pid N, in N ms
              why:    it was still there 50 ms after SIGTERM, and it must stop gracefully"#]],
    );
    check(spec().must_stop_gracefully(), |process| process.kill().unwrap(), expect!["ok"]);
}

#[test]
fn a_panic_in_a_callback_fails() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    check(
        spec().on_start(|_| panic!("no luck")),
        |_| (),
        expect![[r#"
        a callback of `worker` panicked: no luck
          spec:   output("'CHILDREN/sleeper'", "sleeper")   tests/it/orchestra/verdict.rs"#]],
    );
    check(
        spec().on_exit(|_, _| panic!("at the end")),
        |_| (),
        expect![[r#"
        a callback of `worker` panicked: at the end
          spec:   output("'CHILDREN/sleeper'", "sleeper")   tests/it/orchestra/verdict.rs"#]],
    );
}

#[test]
fn all_that_went_wrong_is_said() {
    let (exits, deaf) = (child("exits"), child("deaf"));
    let stack = pkit_test::orchestra()
        .with("dead", simple(exits.with("1")))
        .with("wrong", simple(exits.with("1")).expect_exit(2))
        .with("deaf", output(deaf.with(""), "deaf").stop_timeout(SHORT).must_stop_gracefully())
        .with("fine", simple(exits.with("1")).may_exit());
    let verdict = orchestrated(stack, |stack| ["dead", "wrong"].iter().for_each(|name| ended(&stack[name])));
    let text = normalised(&verdict.unwrap_err().to_string());
    let mut titles: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    titles.sort_unstable();
    expect![[r#"
        `dead` ended during the test, and nobody asked it to
        `deaf` had to be killed
        `wrong` did not end with the expected exit code 2"#]]
    .assert_eq(&titles.join("\n"));
}
