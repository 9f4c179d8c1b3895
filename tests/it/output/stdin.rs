//! What a process reads.

use expect_test::{Expect, expect};
use pkit_test::{Process, Result, Spec, output, sh, simple};

use crate::child::{HANG, child};
use crate::text::normalised;

/// Everything that comes back from who repeats its input until the end of it.
#[track_caller]
fn check(spec: Spec, expected: &str) {
    let process = spec.start().unwrap();
    let exit = process.wait_timeout(HANG).unwrap();
    assert_eq!(exit.map(|exit| exit.success()), Some(true));
    assert!(process.stdout() == expected, "{} bytes instead of {}", process.stdout().len(), expected.len());
}

#[test]
fn a_text_is_followed_by_the_end() {
    let echo = child("echo_stdin");
    check(simple(echo.with("")).stdin("one\ntwo\n"), "one\ntwo\n");
    check(simple(echo.with("")).stdin(""), "");
    check(simple("cat").stdin("no end of line"), "no end of line");
    let long = "0123456789abcdef\n".repeat(200_000);
    check(simple(echo.with("")).stdin(long.clone()), &long);
}

#[test]
fn without_a_text_it_stays_open() {
    let echo = child("echo_stdin");
    let process = simple(echo.with("")).start().unwrap();
    for word in ["one", "two", "three"] {
        process.write_stdin(format!("{word}\n")).unwrap();
        process.wait_for_output(format!("^{word}$"), HANG).unwrap();
    }
    process.close_stdin().unwrap();
    assert!(process.wait().unwrap().success());
}

#[test]
fn a_long_text_reaches_who_reads_it() {
    let echo = child("echo_stdin");
    let process = simple(echo.with("")).start().unwrap();
    let long = "0123456789abcdef\n".repeat(400_000);
    process.write_stdin(&long).unwrap();
    process.close_stdin().unwrap();
    assert!(process.wait().unwrap().success());
    assert!(process.stdout() == long);
}

/// Who is told that a text was not taken may write something else.
#[test]
fn what_was_not_taken_is_not_written_later() {
    let cat = simple("cat").start().unwrap();
    cat.pause().unwrap();
    let error = cat.write_stdin("a".repeat(2_000_000)).unwrap_err();
    assert!(error.is_timeout(), "{error}");
    let text = error.to_string();
    let took: usize = text.split("took:   ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap().parse().unwrap();
    cat.resume().unwrap();
    cat.write_stdin("end").unwrap();
    cat.close_stdin().unwrap();
    assert!(cat.wait().unwrap().success());
    assert_eq!((cat.stdout().len(), cat.stdout().ends_with("aend")), (took + 3, true), "{text}");
}

#[test]
fn every_refusal_says_why() {
    let sleeper = child("sleeper");
    let write = |process: &Process| process.write_stdin("x");
    let close_and_write = |process: &Process| process.close_stdin().and_then(|()| process.write_stdin("x"));
    let write_too_much = |process: &Process| (0..40).try_for_each(|_| process.write_stdin(vec![b'x'; 100_000]));
    let end_and_write = |process: &Process| process.stop().and_then(|()| process.write_stdin("x"));
    let end_and_close = |process: &Process| process.stop().and_then(|()| process.close_stdin());
    check_refusal(
        simple(sleeper.with("")).stdin("text"),
        write,
        expect!["cannot write to its standard input: that of `sleeper` is closed"],
    );
    check_refusal(
        simple(sleeper.with("")),
        close_and_write,
        expect!["cannot write to its standard input: that of `sleeper` is closed"],
    );
    check_refusal(
        simple(sleeper.with("")),
        write_too_much,
        expect![[r#"
            cannot write to its standard input: `sleeper` does not read it
              waited: 5 s, in which it has read nothing of the 1 MiB before
              took:   0 of 100000 bytes"#]],
    );
    check_refusal(
        simple(sleeper.with("")),
        end_and_write,
        expect![[r#"
        cannot write to its standard input: `sleeper` has ended
          exit:   signal 15 (SIGTERM)"#]],
    );
    check_refusal(
        simple(sleeper.with("")),
        end_and_close,
        expect![[r#"
        cannot close its standard input: `sleeper` has ended
          exit:   signal 15 (SIGTERM)"#]],
    );
    check_refusal(
        output(sh("exec 0<&-; echo closed; sleep 60"), "closed"),
        write_too_much,
        expect!["cannot write to its standard input: that of `sh` is closed"],
    );
}

#[track_caller]
fn check_refusal(spec: Spec, write: fn(&Process) -> Result<()>, expected: Expect) {
    let process = spec.start().unwrap();
    let error = write(&process).unwrap_err();
    expected.assert_eq(&normalised(&error.to_string()));
}
