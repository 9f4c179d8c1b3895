//! What a test may do with a process that others have as well, what it sees of it, and what becomes of both.

use expect_test::{Expect, expect};

use crate::nested::{Ended, Victim, victim};

fn held(name: &'static str) -> Victim {
    victim(name)
}

#[track_caller]
fn passes(victim: &Victim) -> Ended {
    let ended = victim.run_in_a_run();
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    victim.will_be_gone(&ended);
    ended
}

#[track_caller]
fn fails(victim: &Victim, expected: Expect) {
    let ended = victim.run_in_a_run();
    assert!(!ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    expected.assert_eq(&ended.report());
    victim.will_be_gone(&ended);
}

#[test]
fn what_others_would_feel_is_refused() {
    passes(&held("held::is_refused"));
}

#[test]
fn a_member_that_is_shared_is_not_taken_down_with_its_stack() {
    passes(&held("held::a_stack_with_one_is_refused"));
}

#[test]
fn a_handle_that_is_dropped_stops_nothing() {
    let victim = held("held::is_dropped");
    passes(&victim);
    let left = std::fs::read_dir(victim.directory()).unwrap().flatten().map(|file| file.path());
    let logs: Vec<_> = left.filter(|path| path.extension().is_some()).collect();
    assert_eq!(logs, Vec::<std::path::PathBuf>::new(), "they go with the run");
}

#[test]
fn a_fork_that_drops_it_ends_no_lease() {
    passes(&held("held::is_dropped_in_a_fork"));
}

#[test]
fn others_see_it_through_holes() {
    passes(&held("held::is_seen_through_holes"));
}

#[test]
fn several_wait_for_its_output() {
    passes(&held("held::is_waited_for_by_several"));
}

#[test]
fn whoever_has_it_alone_may_do_everything() {
    passes(&held("held::is_had_alone"));
}

#[test]
fn what_was_put_in_its_place_is_nobody_elses() {
    passes(&held("held::is_replaced"));
}

#[test]
fn the_result_of_a_function_is_there_for_all() {
    passes(&held("held::is_a_function"));
}

#[test]
fn nothing_of_a_lease_is_left_in_the_test() {
    passes(&held("held::leaves_nothing_in_the_test"));
}

#[test]
fn callbacks_of_an_exit_are_called_in_each_holder() {
    passes(&held("held::calls_back"));
}

#[test]
fn it_is_in_the_record() {
    passes(&held("held::is_in_the_record"));
}

#[test]
fn a_scope_and_a_future_have_it_like_any_other() {
    passes(&held("held::is_in_a_scope"));
    passes(&held("held::is_in_a_future"));
}

#[test]
fn a_supervisor_leaves_it_alone() {
    passes(&held("held::is_beside_what_is_supervised"));
}

#[test]
fn its_end_fails_the_test_that_has_it() {
    fails(
        &held("held::dies"),
        expect![[r#"
            --- `db`: exit code 3, shared; since this test had it: all it wrote (CHILDREN/pkit/PID.1-db.1.log)
            before
            no more
            victims::held::dies panicked at tests/it/victims/held.rs:
            `db` ended during the test, and nobody asked it to
              spec:   output("sh -c 'mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done'", "^up$")   tests/it/victims/held.rs
              ran:    /bin/sh -c 'mkfifo DIRS/db-1/in; exec 3<>DIRS/db-1/in; echo up; while read -r line <&3; do eval "$line"; done' sh   pid N, in N ms
              shared: with other tests of this run
              exit:   exit code 3
              hint:   `.may_exit()` or `.expect_exit(code)` where that is right
              stderr: no more"#]],
    );
}

#[test]
fn what_it_wrote_before_is_not_shown() {
    fails(
        &held("held::fails_after_another"),
        expect![[r#"
            victims::held::fails_after_another panicked at tests/it/victims/held.rs:
            no luck
            --- `sh`: shared; since this test had it: all it wrote (CHILDREN/pkit/PID.1-sh.1.log)
            of this test
            --- 2 processes in T
            name  state  pid  started  ready after  ended  exit
            sh  ready, shared  N  T  T  -  -
            sh  ready, shared  N  T  T  -  -
              |T  |T  T|
            sh  SR>
            sh  SR>
            S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more"#]],
    );
}

#[test]
fn the_end_of_its_broker_is_its_own() {
    fails(
        &held("held::loses_the_broker"),
        expect![[r#"
            --- `db`: shared; since this test had it: it wrote nothing
            victims::held::loses_the_broker panicked at tests/it/victims/held.rs:
            `db` was killed together with the broker of the run
              spec:   output("sh -c 'mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done'", "^up$")   tests/it/victims/held.rs
              ran:    /bin/sh -c 'mkfifo DIRS/db-1/in; exec 3<>DIRS/db-1/in; echo up; while read -r line <&3; do eval "$line"; done' sh   pid N, in N ms
              shared: with other tests of this run
              output: none"#]],
    );
}

#[test]
fn a_test_that_fails_as_it_is_lost_says_so() {
    let victim = victim("shared::fails_as_its_broker_is_killed").with("sleeper");
    let ended = victim.run_in_a_run();
    let report = ended.report();
    assert!(!ended.status.success() && report.contains("no luck with \"db\""), "{report}");
    assert!(report.contains("`db` was killed together with the broker of the run\n"), "{report}");
    victim.will_be_gone(&ended);
}

#[test]
fn the_end_of_its_guardian_is_its_own() {
    fails(
        &held("held::loses_its_guardian"),
        expect![[r#"
        --- `db`: shared; since this test had it: it wrote nothing
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        db  died, shared  N  T  T  T  -
        sh  ready, shared  N  T  T  -  -
          |T  |T  T|
        db  SRX
        sh  SR>
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        victims::held::loses_its_guardian panicked at tests/it/victims/held.rs:
        `db` was killed together with its shim, or with its guardian
          spec:   output("sh -c 'mkfifo {dir}/in; exec 3<>{dir}/in; echo up; while read -r line <&3; do eval "$line"; done'", "^up$")   tests/it/victims/held.rs
          ran:    /bin/sh -c 'mkfifo DIRS/db-1/in; exec 3<>DIRS/db-1/in; echo up; while read -r line <&3; do eval "$line"; done' sh   pid N, in N ms
          shared: with other tests of this run
          output: none"#]],
    );
}

#[test]
fn whoever_drops_it_keeps_nobody_waiting() {
    passes(&held("held::is_let_go_early"));
}

#[test]
fn it_is_started_in_the_environment_of_the_run() {
    passes(&held("held::is_in_the_environment_of_the_run"));
}

#[test]
fn what_is_kept_says_whose_it_is() {
    let victim =
        held("held::is_kept").env("PKIT_KEEP", "always").env("PKIT_KEEP_FOR", "1s").env("RUST_TEST_NOCAPTURE", "1");
    let ended = passes(&victim);
    let text = ended.text();
    let kept = text.split_once("--- ").map(|(_, kept)| kept).unwrap_or_default();
    expect![[r#"
        `sh` stays up
          pid:    N
          dir:    DIRS/sh-1
          output: CHILDREN/pkit/PID.1-sh.1.log
          end:    `kill N` ends it, for all tests of this run
    "#]]
    .assert_eq(kept);
}
