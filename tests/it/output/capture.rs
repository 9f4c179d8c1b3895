//! What is kept of both streams.

use pkit_test::{output, sh, simple};

use crate::child::{HANG, child};

#[test]
fn both_streams_are_kept_in_order_of_arrival() {
    let script = "echo one; read x; printf two >&2; read x; echo three; read x; echo four >&2";
    let process = simple(sh(script)).start().unwrap();
    for word in ["one", "two", "three"] {
        process.wait_for_output(word, HANG).unwrap();
        process.write_stdin("\n").unwrap();
    }
    process.wait().unwrap();
    assert_eq!(process.output(), "one\ntwothree\nfour\n");
    assert_eq!(process.stdout(), "one\nthree\n");
    assert_eq!(process.stderr(), "twofour\n");
}

#[test]
fn what_was_written_before_it_was_ready_is_there() {
    let process = output(sh("echo first; echo second >&2; echo ready; exec sleep 60"), "ready").start().unwrap();
    assert_eq!(process.stdout(), "first\nready\n");
    assert_eq!(process.stderr(), "second\n");
}

#[test]
fn what_was_written_just_before_the_question_is_there() {
    let echo = child("echo_stdin");
    let process = simple(echo.with("")).start().unwrap();
    let mut all = String::new();
    for turn in 0..200 {
        process.write_stdin(format!("{turn}\n")).unwrap();
        all += &format!("{turn}\n");
        process.wait_for_output(format!("^{turn}$"), HANG).unwrap();
        assert_eq!(process.stdout(), all);
    }
}

#[test]
fn the_last_words_are_there_when_it_has_ended() {
    let exits = child("exits");
    for _ in 0..20 {
        let process = simple(exits.with("1 --say 'last words'")).start().unwrap();
        process.wait().unwrap();
        assert_eq!(process.stderr(), "last words\n");
    }
}

#[test]
fn an_unfinished_line_makes_it_ready() {
    let banner = child("banner");
    for arguments in
        ["ready", "ready --stderr", "ready --dots 3", "ready --halves 5", "ready --newline", "ready --dots 70000"]
    {
        let process = output(banner.with(arguments), "(^|\\.)ready$").start().unwrap();
        assert!(process.output().trim_end().ends_with("ready"), "{arguments}");
    }
}

#[test]
fn bytes_that_are_no_text_are_replaced() {
    let process = simple(sh(r"printf 'a\377b\000c\n'; printf '\303\244\n'")).start().unwrap();
    process.wait().unwrap();
    assert_eq!(process.stdout(), "a\u{fffd}b\0c\nä\n");
    assert_eq!(process.wait_for_output("^a.b", HANG).unwrap().line(), "a\u{fffd}b\0c");
}

#[test]
fn a_service_may_open_its_standard_streams_by_name() {
    let script = "echo one; echo two > /dev/stdout; echo three >> /dev/stderr; echo four > /proc/self/fd/1; read x < /dev/stdin; echo $x";
    let as_nobody = nix::unistd::geteuid().is_root().then(|| simple(sh(script)).user("nobody"));
    for spec in [simple(sh(script))].into_iter().chain(as_nobody) {
        let process = spec.stdin("five\n").start().unwrap();
        assert!(process.wait().unwrap().success(), "{}", process.output());
        assert_eq!((process.stdout().as_str(), process.stderr().as_str()), ("one\ntwo\nfour\nfive\n", "three\n"));
    }
}

#[test]
fn a_descendant_in_the_background_goes_on_writing() {
    let process = simple(sh("exec 3<&0; (read x <&3; echo late) & exit 0")).start().unwrap();
    process.write_stdin("\n").unwrap();
    process.wait_for_output("late", HANG).unwrap();
    assert!(process.wait().unwrap().success());
    assert_eq!(process.stdout(), "late\n");
}
