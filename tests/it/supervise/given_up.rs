//! What crashes too often, and what is said about it; and what is not said about crashes that are covered.

use std::time::Duration;

use expect_test::{Expect, expect};
use pkit_test::{Orchestra, Signal, Stack, Strategy, Supervision, orchestra, orchestrate, orchestrated, output};

use super::{LONG, moody, tireless};
use crate::child::{HANG, child};
use crate::text::normalised;

/// The verdict about a scope after the body did something to it.
#[track_caller]
fn check(stack: impl Into<Orchestra>, body: impl FnOnce(&Stack), expected: Expect) {
    let verdict = orchestrated(stack, body);
    let text = verdict.map_or_else(|error| normalised(&error.to_string()), |()| "ok".to_owned());
    expected.assert_eq(&text);
}

#[test]
fn crashes_that_are_covered_are_no_failure() {
    let (one, two) = (moody(), moody());
    check(
        [("worker", one.with("u").supervise(Supervision::permanent()))],
        |stack| {
            stack["worker"].write_stdin("x").unwrap();
            stack["worker"].wait_restart(0, HANG).unwrap();
            // And one that comes too late for a restart.
            stack["worker"].write_stdin("x").unwrap();
            stack["worker"].wait().unwrap();
        },
        expect!["ok"],
    );
    let job = two.with("uxu").expect_exit(0).stop_timeout(HANG).supervise(Supervision::transient());
    check(
        [("job", job)],
        |stack| {
            stack["job"].write_stdin("x").unwrap();
            stack["job"].wait_restart(0, HANG).unwrap();
            stack["job"].close_stdin().unwrap();
        },
        expect!["ok"],
    );
    assert_eq!((two.runs(), one.child.count()), (3, 0));
}

#[test]
fn the_end_waits_for_an_expected_exit_over_crashes() {
    let moody = moody();
    let file = moody.file.display().to_string();
    let script = format!("'{}' '{file}' x; test $(wc -c < '{file}') -ge 4", moody.child.path().display());
    let job = pkit_test::simple(pkit_test::sh(script)).expect_exit(0).stop_timeout(HANG);
    let job = job.supervise(tireless(Supervision::transient()));
    check([("job", job)], |_| (), expect!["ok"]);
    assert_eq!(moody.runs(), 4);
}

#[test]
fn a_crash_loop_ends_with_its_whole_history() {
    let moody = moody();
    let spec = moody.with("uuxux").supervise(Supervision::permanent().intensity(3, LONG));
    check(
        [("worker", spec)],
        |stack| {
            let worker = &stack["worker"];
            worker.write_stdin("x").unwrap();
            worker.wait_restart(0, HANG).unwrap();
            worker.signal(Signal::Kill).unwrap();
            worker.wait_restart(1, HANG).unwrap();
            worker.write_stdin("x").unwrap();
            assert!(worker.wait_restart(3, HANG).unwrap_err().is_exit());
            assert_eq!((worker.restarts(), worker.exit().unwrap().code(), worker.pid()), (3, Some(1), None));
        },
        expect![[r#"
            `worker` was given up: it may be started again 3 times in 3600 s
              runs:   after N ms: `worker` ended: exit code 1
                      after N ms: `worker` is up again
                      after N ms: `worker` ended: signal 9 (SIGKILL)
                      after N ms: `worker` ended: exit code 1
                      after N ms: `worker` exited before it was ready
                      after N ms: `worker` is up again
                      after N ms: `worker` ended: exit code 1
              spec:   output("'CHILDREN/moody' 'CHILDREN/moods' uuxux", "^up")   tests/it/supervise/mod.rs
              ran:    CHILDREN/moody CHILDREN/moods uuxux   pid N, in N ms
              exit:   exit code 1
              stdout: up 4"#]],
    );
    assert_eq!(moody.runs(), 4, "and not one more");
}

#[test]
fn the_whole_stack_is_stopped_in_reverse_order() {
    let (order, moody) = (child("order"), moody());
    let file = order.file("stops");
    let stays = |name: &str| output(order.with(&format!("{name} '{}'", file.display())), "ready");
    let worker = moody.with("ux").supervise(Supervision::permanent().intensity(2, LONG));
    let stack = orchestra()
        .with("db", stays("db"))
        .with("worker", worker)
        .with("inner", orchestra().with("web", stays("web").after("db").supervise(Supervision::permanent())));
    let verdict = orchestrated(stack, |stack| {
        stack["worker"].write_stdin("x").unwrap();
        assert!(stack["db"].wait_restart(0, HANG).unwrap_err().is_exit());
        assert_eq!((order.count(), std::fs::read_to_string(&file).unwrap().as_str()), (0, "web\ndb\n"));
    });
    let text = normalised(&verdict.unwrap_err().to_string());
    let titles: Vec<&str> = text.lines().filter(|line| !line.starts_with(' ')).collect();
    expect![[r#"
        `worker` was given up: it may be started again 2 times in 3600 s
        `worker` exited before it was ready"#]]
    .assert_eq(&titles.join("\n"));
}

#[test]
fn a_handle_by_itself_fails_nothing() {
    let moody = moody();
    let process = moody.with("ux").supervise(Supervision::permanent().intensity(3, LONG)).start().unwrap();
    process.write_stdin("x").unwrap();
    let error = process.wait_restart(9, HANG).unwrap_err();
    assert!(error.is_exit());
    expect![[r#"
        `moody` was given up: it may be started again 3 times in 3600 s
          runs:   after N ms: `moody` ended: exit code 1
                  after N ms: `moody` ended: exit code 1
                  after N ms: `moody` exited before it was ready
                  after N ms: `moody` ended: exit code 1
                  after N ms: `moody` exited before it was ready
                  after N ms: `moody` ended: exit code 1
                  after N ms: `moody` exited before it was ready
          spec:   output("'CHILDREN/moody' 'CHILDREN/moods' ux", "^up")   tests/it/supervise/mod.rs
          ran:    CHILDREN/moody CHILDREN/moods ux   pid N, in N ms
          exit:   exit code 1
          stderr: no luck in run 4"#]]
    .assert_eq(&normalised(&error.to_string()));
    assert_eq!((process.restarts(), process.exit().unwrap().code(), moody.runs()), (3, Some(1), 4));
    process.stop().unwrap();
}

#[test]
fn all_members_together_have_a_limit() {
    let (one, two) = (moody(), moody());
    let spec = |moody: &super::Moody| moody.with("u").supervise(tireless(Supervision::permanent()));
    let stack = orchestrate([("one", spec(&one)), ("two", spec(&two))]).intensity(2, LONG);
    let verdict = orchestrated(stack, |stack| {
        for name in ["one", "two"] {
            stack[name].write_stdin("x").unwrap();
            stack[name].wait_restart(0, HANG).unwrap();
        }
        stack["two"].write_stdin("x").unwrap();
        stack["one"].wait_restart(1, HANG).unwrap_err();
    });
    let text = verdict.unwrap_err().to_string();
    assert!(text.starts_with("`two` was given up: its stack may be started again 2 times in 3600 s\n"), "{text}");
}

#[test]
fn what_nobody_supervises_fails_beside_what_is_supervised() {
    let (exits, moody) = (child("exits"), moody());
    let stack = orchestra()
        .with("covered", moody.with("u").supervise(Supervision::permanent()))
        .with("dead", pkit_test::simple(exits.with("3")).supervise(Supervision::temporary()))
        .strategy(Strategy::OneForAll);
    check(
        stack,
        |stack| {
            stack["dead"].wait().unwrap();
            stack["covered"].write_stdin("x").unwrap();
            stack["covered"].wait_restart(0, HANG).unwrap();
            assert_eq!(stack["dead"].restarts(), 0);
        },
        expect![[r#"
            `dead` ended during the test, and nobody asked it to
              spec:   simple("'CHILDREN/exits' 3")   tests/it/supervise/given_up.rs
              ran:    CHILDREN/exits 3   pid N, in N ms
              exit:   exit code 3
              hint:   `.may_exit()` or `.expect_exit(code)` where that is right
              output: none"#]],
    );
}

#[test]
fn a_limit_of_the_stack_that_is_none_is_refused() {
    let stack = orchestrate([("one", pkit_test::simple("sleep 60"))]).intensity(1, Duration::ZERO);
    let error = stack.start().unwrap_err();
    assert!(error.is_spec());
    expect!["the stack was not started: an intensity with a period of zero allows any number of restarts"]
        .assert_eq(&error.to_string());
}
