use expect_test::{Expect, expect};

use crate::sys::child::End;

use super::*;

fn note(message: &str) -> PanicNote {
    let place = Some(Place { file: "src/lib.rs".to_owned(), line: 7, column: 9 });
    PanicNote { message: message.to_owned(), place, thread: MAIN_THREAD.to_owned(), backtrace: None, is_fatal: false }
}

fn code(code: i32) -> Exit {
    End::Code(code).into()
}

fn signal(number: i32) -> Exit {
    End::Signal { number, core_dumped: false }.into()
}

fn failure(exit: Exit, outcome: Outcome, panic: Option<PanicNote>) -> Failure {
    Failure::of(Ran { name: "work", exit, outcome, panic, last_words: None })
}

#[track_caller]
fn check(failure: &Failure, expected: Expect) {
    expected.assert_eq(&failure.to_string());
    assert_eq!(format!("{failure:?}"), Error::from(failure.clone()).to_string());
    assert_eq!(Error::from(failure.clone()).exit(), failure.exit());
    let questions = [
        Failure::is_panic,
        Failure::is_exit,
        Failure::is_signal,
        Failure::is_unserializable,
        Failure::is_too_large,
        Failure::is_not_understood,
        Failure::is_timeout,
        Failure::is_guardian_lost,
        Failure::is_dropped,
    ];
    assert_eq!(questions.iter().filter(|is_so| is_so(failure)).count(), 1, "one reason");
}

#[test]
fn a_panic_says_where_and_what() {
    let plain = failure(code(101), Outcome::Panicked, Some(note("boom")));
    check(&plain, expect!["`work` panicked at src/lib.rs:7:9: boom"]);
    assert_eq!(
        (plain.message(), plain.file(), plain.line(), plain.column()),
        ("boom", Some("src/lib.rs"), Some(7), Some(9))
    );
    let nowhere = PanicNote { place: None, ..note("thrown") };
    check(&failure(code(101), Outcome::Panicked, Some(nowhere)), expect!["`work` panicked: thrown"]);
    check(&failure(code(101), Outcome::Panicked, None), expect!["`work` panicked"]);
}

#[test]
fn what_goes_wrong_after_the_return_is_no_result() {
    let returned = || Outcome::Returned(vec![7]);
    let late = failure(code(3), returned(), None);
    check(&late, expect!["`work` ended with exit code 3 after it had returned"]);
    let killed = failure(signal(11), returned(), None);
    check(&killed, expect!["`work` was killed by signal 11 (SIGSEGV) after it had returned"]);
    assert!(late.is_exit() && killed.is_signal() && !late.is_unserializable());
}

#[test]
fn a_panic_in_a_thread_and_its_stack_are_facts() {
    let elsewhere = PanicNote { thread: "t1".to_owned(), backtrace: Some("0: a\n1: b\n".to_owned()), ..note("boom") };
    let last_words = Some(("stderr", "one\ntwo".to_owned()));
    let ran = Ran { name: "work", exit: code(101), outcome: Outcome::Panicked, panic: Some(elsewhere), last_words };
    check(
        &Failure::of(ran),
        expect![[r#"
        `work` panicked at src/lib.rs:7:9: boom
          thread: t1
          stack:  0: a
                  1: b
          stderr: one
                  two"#]],
    );
}

#[test]
fn a_panic_that_aborts_is_a_panic_and_another_abort_is_not() {
    let fatal = PanicNote { is_fatal: true, ..note("boom") };
    let aborted = failure(signal(6), Outcome::Nothing, Some(fatal.clone()));
    check(
        &aborted,
        expect![[r#"
        `work` panicked at src/lib.rs:7:9: boom
          exit:   signal 6 (SIGABRT)"#]],
    );
    check(
        &failure(signal(9), Outcome::Nothing, Some(fatal)),
        expect![[r#"
        `work` was killed by signal 9 (SIGKILL) before it returned
          panic:  there was one at src/lib.rs:7:9: boom"#]],
    );
    check(
        &failure(signal(6), Outcome::Nothing, Some(note("caught"))),
        expect![[r#"
        `work` was killed by signal 6 (SIGABRT) before it returned
          panic:  there was one at src/lib.rs:7:9: caught"#]],
    );
}

#[test]
fn an_end_before_the_return_is_said_with_its_code_or_signal() {
    for (exit, expected) in [
        (code(0), expect!["`work` ended with exit code 0 before it returned"]),
        (code(101), expect!["`work` ended with exit code 101 before it returned"]),
        (signal(9), expect!["`work` was killed by signal 9 (SIGKILL) before it returned"]),
    ] {
        check(&failure(exit, Outcome::Nothing, None), expected);
    }
}

#[test]
fn what_was_sent_badly_says_so() {
    let limit = crate::limits::RESULT_BYTES;
    for (outcome, expected) in [
        (Outcome::NotSerialized("no".to_owned()), expect!["`work` returned what cannot be serialized: no"]),
        (Outcome::TooLarge { limit }, expect!["`work` returned more than 1 GiB"]),
        (Outcome::NotUnderstood("no".to_owned()), expect!["`work` did not understand its arguments: no"]),
    ] {
        check(&failure(code(101), outcome, None), expected);
    }
    check(&Failure::unreadable("work", "no"), expect!["`work` returned what cannot be read back: no"]);
    let arguments = Failure::arguments("work", "no");
    check(&arguments, expect!["`work` was not called, since its arguments cannot be serialized: no"]);
}

#[test]
fn a_limit_and_a_lost_guardian_are_reasons() {
    check(&Failure::timeout("work", Duration::from_secs(2)), expect!["`work` is still running after 2 s"]);
    let lost = Failure::error(&Error::new(Kind::GuardianLost, "the guardian is gone"));
    check(&lost, expect!["the guardian is gone"]);
}

#[test]
fn resumed_it_panics_with_the_same_words() {
    let failure = failure(code(101), Outcome::Panicked, Some(note("boom")));
    let text = failure.to_string();
    let panicked = std::panic::catch_unwind(|| failure.resume()).unwrap_err();
    assert_eq!(panicked.downcast_ref::<String>(), Some(&text));
}
