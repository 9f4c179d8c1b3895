//! What a test says of processes that end, or do not.

use expect_test::expect;

use crate::nested::victim;

#[test]
fn an_exit_that_nobody_asked_for_fails_the_test() {
    victim("verdicts::ends_with_zero").with("exits").fails(expect![[r#"
        --- `worker`: exit code 0, it wrote nothing
        victims::verdicts::ends_with_zero panicked at tests/it/victims/verdicts.rs:
        `worker` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' 0")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 0   pid N, in N ms
          exit:   exit code 0
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          output: none"#]]);
    victim("verdicts::ends_with_seven").with("exits").fails(expect![[r#"
        --- `worker`: exit code 7, all it wrote (CHILDREN/pkit/PID.1-worker.1.log)
        no more
        victims::verdicts::ends_with_seven panicked at tests/it/victims/verdicts.rs:
        `worker` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' 7 --say 'no more'")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 7 --say 'no more'   pid N, in N ms
          exit:   exit code 7
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          stderr: no more"#]]);
    victim("verdicts::dies_of_a_signal").with("exits").fails(expect![[r#"
        --- `worker`: signal 11 (SIGSEGV), it wrote nothing
        victims::verdicts::dies_of_a_signal panicked at tests/it/victims/verdicts.rs:
        `worker` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' --signal SIGSEGV")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits --signal SIGSEGV   pid N, in N ms
          exit:   signal 11 (SIGSEGV)
          output: none"#]]);
}

#[test]
fn exits_of_several_runs_are_told_with_their_times() {
    victim("verdicts::ends_and_starts_again").with("crash_later").fails(expect![[r#"
        --- `worker`: all it wrote (CHILDREN/pkit/PID.1-worker.2.log)
        up
        --- 1 process in T
        name  run  state  pid  started  ready after  ended  exit
        worker  1  died  N  T  T  T  exit code 3
          2  ended  N  T  T  T  signal 15 (SIGTERM)
          |T  |T  T|
        worker  SRXSRTx
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        victims::verdicts::ends_and_starts_again panicked at tests/it/victims/verdicts.rs:
        `worker` ended during the test, and nobody asked it to
          spec:   output("'CHILDREN/crash_later' 0 --code 3", "up")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/crash_later 0 --code 3   pid N, in N ms
          exit:   exit code 3
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          stdout: up"#]]);
    victim("verdicts::loses_two").with("exits").fails(expect![[r#"
        --- `one`: exit code 1, it wrote nothing
        --- `two`: exit code 2, it wrote nothing
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        one  died  N  T  T  T  exit code 1
        two  died  N  T  T  T  exit code 2
          |T  |T  T|
        one  SRX
        two  SRX
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        victims::verdicts::loses_two panicked at tests/it/victims/verdicts.rs:
        `one` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' 1")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 1   pid N, in N ms
          exit:   exit code 1
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          output: none
        `two` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' 2")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 2   pid N, in N ms
          exit:   exit code 2
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          output: none"#]]);
}

#[test]
fn an_exit_that_may_be_does_not() {
    victim("verdicts::may_exit").with("exits").passes();
    victim("verdicts::exits_as_expected").with("exits").passes();
    victim("verdicts::ends_what_it_likes").with("sleeper").with("polite").passes();
}

#[test]
fn an_exit_that_is_expected_has_to_come() {
    victim("verdicts::exits_otherwise").with("exits").fails(expect![[r#"
        --- `worker`: exit code 6, it wrote nothing
        victims::verdicts::exits_otherwise panicked at tests/it/victims/verdicts.rs:
        `worker` did not end with the expected exit code 7
          spec:   simple("'CHILDREN/exits' 6 --ms 20")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 6 --ms 20   pid N, in N ms
          exit:   exit code 6
          output: none"#]]);
    victim("verdicts::never_exits").with("sleeper").fails(expect![[r#"
        --- `worker`: all it wrote (CHILDREN/pkit/PID.1-worker.1.log)
        sleeper
        victims::verdicts::never_exits panicked at tests/it/victims/verdicts.rs:
        `worker` was expected to end with exit code 7 and still runs
          spec:   output("'CHILDREN/sleeper'", "sleeper")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/sleeper   pid N, in N ms
          stdout: sleeper"#]]);
}

#[test]
fn needing_sigkill_fails_only_where_grace_is_a_must() {
    victim("verdicts::has_to_be_killed").with("deaf").fails(expect![[r#"
        --- `worker`: all it wrote (CHILDREN/pkit/PID.1-worker.1.log)
        deaf
        victims::verdicts::has_to_be_killed panicked at tests/it/victims/verdicts.rs:
        `worker` had to be killed
          spec:   output("'CHILDREN/deaf'", "deaf")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/deaf   pid N, in N ms
          why:    it was still there 100 ms after SIGTERM, and it must stop gracefully"#]]);
    victim("verdicts::had_to_be_killed_by_the_body").with("deaf").fails(expect![[r#"
        --- `worker`: all it wrote (CHILDREN/pkit/PID.1-worker.1.log)
        deaf
        victims::verdicts::had_to_be_killed_by_the_body panicked at tests/it/victims/verdicts.rs:
        `worker` had to be killed
          spec:   output("'CHILDREN/deaf'", "deaf")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/deaf   pid N, in N ms
          why:    it was still there 100 ms after SIGTERM, and it must stop gracefully"#]]);
    victim("verdicts::is_deaf").with("deaf").passes();
}

#[test]
fn a_callback_that_panics_fails_the_test() {
    victim("verdicts::has_a_callback_that_panics").with("exits").fails(expect![[r#"
        pkit-callbacks panicked at tests/it/victims/verdicts.rs:
        no luck
        --- `worker`: exit code 0, it wrote nothing
        victims::verdicts::has_a_callback_that_panics panicked at tests/it/victims/verdicts.rs:
        a callback of `worker` panicked: no luck
          spec:   simple("'CHILDREN/exits' 0")   tests/it/victims/verdicts.rs"#]]);
}

#[test]
fn what_the_body_says_comes_first() {
    victim("verdicts::fails_by_itself").with("exits").fails(expect![[r#"
        victims::verdicts::fails_by_itself panicked at tests/it/victims/verdicts.rs:
        what the body says
        --- `worker`: exit code 7, it wrote nothing
        `worker` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' 7")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 7   pid N, in N ms
          exit:   exit code 7
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          output: none"#]]);
    victim("verdicts::returns_an_error").with("exits").fails(expect![[r#"
        --- `worker`: exit code 7, it wrote nothing
        `worker` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' 7")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 7   pid N, in N ms
          exit:   exit code 7
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          output: none
        Error: "what the body returns""#]]);
}

#[test]
fn a_start_that_fails_is_shown_and_stops_the_rest() {
    victim("verdicts::does_not_start").with("exits").with("sleeper").fails(expect![[r#"
        --- 2 processes in T
        name  state  pid  started  ready after  ended  exit
        first  ended  N  T  T  T  signal 15 (SIGTERM)
        worker  failed  N  T  -  T  exit code 7
          |T  |T  T|
        first  SRTx
        worker  SF
        S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
        victims::verdicts::does_not_start panicked at tests/it/victims/verdicts.rs:
        `worker` exited before it was ready
          spec:   output("'CHILDREN/exits' 7 --say 'no luck'", "ready")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 7 --say 'no luck'   pid N, in N ms
          exit:   exit code 7
          probe:  output matches `ready`: no line matches; the last one is "no luck", N tries
          needs:  first (ready in N ms)
          stderr: no luck"#]]);
}

#[test]
fn a_test_that_should_panic_never_passes_by_our_panic() {
    victim("verdicts::panics_as_it_should").with("sleeper").passes();
    victim("verdicts::does_not_panic").with("sleeper").fails(expect![[r#"
        --- `worker`: all it wrote (CHILDREN/pkit/PID.1-worker.1.log)
        sleeper
        note: test did not panic as expected"#]]);
    victim("verdicts::does_not_start_and_should_panic").with("exits").fails(expect![[r#"
        `worker` exited before it was ready
          spec:   output("'CHILDREN/exits' 7", "ready")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 7   pid N, in N ms
          exit:   exit code 7
          probe:  output matches `ready`: it has written nothing, N tries
          output: none
        note: test did not panic as expected"#]]);
    victim("verdicts::loses_its_process_and_panics_as_it_should").with("exits").fails(expect![[r#"
        victims::verdicts::loses_its_process_and_panics_as_it_should panicked at tests/it/victims/verdicts.rs:
        as it should
        --- `worker`: exit code 7, it wrote nothing
        `worker` ended during the test, and nobody asked it to
          spec:   simple("'CHILDREN/exits' 7")   tests/it/victims/verdicts.rs
          ran:    CHILDREN/exits 7   pid N, in N ms
          exit:   exit code 7
          hint:   `.may_exit()` or `.expect_exit(code)` where that is right
          output: none
        note: test did not panic as expected"#]]);
}
