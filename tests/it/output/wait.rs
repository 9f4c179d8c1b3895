//! Waiting for a line.

use std::time::Duration;

use expect_test::{Expect, expect};
use pkit_test::{Error, Process, Result, sh, simple};

use crate::child::{HANG, child};
use crate::text::normalised;

const SOON: Duration = Duration::from_millis(50);

#[test]
fn a_mark_is_where_the_search_goes_on() {
    let process = simple(sh("printf 'a1 a2\na3\n'; exec sleep 60")).start().unwrap();
    let mut mark = process.wait_for_output(r"a(\d)", HANG).unwrap();
    assert_eq!((mark.line(), mark.group(0), mark.group(1), mark.group(2)), ("a1 a2", Some("a1"), Some("1"), None));
    for wanted in ["2", "3"] {
        mark = process.wait_for_output_after(&mark, r"a(\d)", HANG).unwrap();
        assert_eq!(mark.group(1), Some(wanted));
    }
    assert!(process.wait_for_output_after(&mark, r"a(\d)", SOON).unwrap_err().is_timeout());
    assert_eq!(process.wait_for_output(r"a(\d)", HANG).unwrap().group(1), Some("1"), "without a mark from the start");
}

#[test]
fn a_mark_skips_what_the_other_stream_wrote_meanwhile() {
    let process =
        simple(sh("printf rea; read x; echo noise >&2; read x; echo dy; echo ready again; read x")).start().unwrap();
    for word in ["rea", "noise"] {
        process.wait_for_output(word, HANG).unwrap();
        process.write_stdin("\n").unwrap();
    }
    let mark = process.wait_for_output("ready", HANG).unwrap();
    assert_eq!(mark.line(), "ready");
    assert_eq!(process.wait_for_output_after(&mark, "ready", HANG).unwrap().line(), "ready again");
}

#[test]
fn a_mark_of_an_earlier_run_is_before_everything() {
    let echo = child("echo_stdin");
    let process = simple(echo.with("")).start().unwrap();
    process.write_stdin("a long line of the first run\n").unwrap();
    let mark = process.wait_for_output("first", HANG).unwrap();
    process.restart(pkit_test::Restart::Forced).unwrap();
    process.write_stdin("second\n").unwrap();
    assert_eq!(process.wait_for_output_after(&mark, ".+", HANG).unwrap().line(), "second");
}

#[test]
fn what_never_came_is_an_error_that_shows_what_did() {
    check(
        stays("exec sleep 60"),
        expect![[r#"
            `sh` has not written `wanted` within 50 ms
              spec:   simple("sh -c 'exec sleep 60'")   tests/it/output/wait.rs
              ran:    /bin/sh -c 'exec sleep 60' sh   pid N, in N ms
              saw:    it has written nothing
              output: none"#]],
    );
    check(
        stays("echo else; exec sleep 60"),
        expect![[r#"
            `sh` has not written `wanted` within 50 ms
              spec:   simple("sh -c 'echo else; exec sleep 60'")   tests/it/output/wait.rs
              ran:    /bin/sh -c 'echo else; exec sleep 60' sh   pid N, in N ms
              saw:    no line matches; the last one is "else"
              stdout: else"#]],
    );
    check(
        ends("echo else; exit 3"),
        expect![[r#"
            `sh` has ended and never wrote `wanted`
              spec:   simple("sh -c 'echo else; exit 3'")   tests/it/output/wait.rs
              ran:    /bin/sh -c 'echo else; exit 3' sh   pid N, in N ms
              saw:    no line matches; the last one is "else"
              exit:   exit code 3
              stdout: else"#]],
    );
    check(
        ends("exit 0"),
        expect![[r#"
            `sh` has ended and never wrote `wanted`
              spec:   simple("sh -c 'exit 0'")   tests/it/output/wait.rs
              ran:    /bin/sh -c 'exit 0' sh   pid N, in N ms
              saw:    it has written nothing
              exit:   exit code 0
              output: none"#]],
    );
}

fn stays(script: &str) -> Process {
    let process = simple(sh(script)).start().unwrap();
    if script.contains("else") {
        process.wait_for_output("else", HANG).unwrap();
    }
    process
}

fn ends(script: &str) -> Process {
    let process = simple(sh(script)).start().unwrap();
    process.wait().unwrap();
    process
}

#[track_caller]
fn check(process: Process, expected: Expect) {
    let has_ended = process.exit().is_some();
    let error = process.wait_for_output("wanted", SOON).unwrap_err();
    assert_eq!((error.is_timeout(), error.is_exit()), (!has_ended, has_ended));
    expected.assert_eq(&normalised(&error.to_string()));
}

#[test]
fn an_invalid_regex_is_an_error() {
    let sleeper = child("sleeper");
    let process = simple(sleeper.with("")).start().unwrap();
    let error = process.wait_for_output("(", HANG).map(drop);
    assert!(error.as_ref().is_err_and(Error::is_spec));
    expect!["cannot wait for the output of `sleeper`: invalid regex `(`: found open group without closing ')'"]
        .assert_eq(&text(error));
}

fn text(result: Result<()>) -> String {
    result.map_or_else(|error| error.to_string(), |()| "ok".to_owned())
}

#[test]
fn the_last_line_is_seen_by_who_waits_while_it_ends() {
    let exits = child("exits");
    for _ in 0..30 {
        let process = simple(exits.with("1 --say ready")).start().unwrap();
        process.wait_for_output("^ready$", HANG).unwrap();
    }
}

#[test]
fn a_line_of_an_ended_process_is_still_found() {
    let process = simple(sh("echo one; printf two")).start().unwrap();
    process.wait().unwrap();
    let mark = process.wait_for_output("one", HANG).unwrap();
    assert_eq!(process.wait_for_output_after(&mark, "t.o", HANG).unwrap().line(), "two");
}
