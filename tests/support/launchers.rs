//! The launchers: that the surroundings are as bad as they are said to be, and that what is left in them is counted.

use std::fs;
use std::process::{Command, Output};
use std::time::Duration;

use nix::unistd::Uid;
use pkit_test_tests::left_out;
use pkit_test_tests::private::{Private, executable, own_place};
use pkit_test_tests::process::parent;

/// Only catches a hang.
const HANG: Duration = Duration::from_secs(20);

/// What a shell says there.
fn said(arguments: &[&str], script: &str) -> String {
    let output = run(arguments, &["sh", "-c", script]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn run(arguments: &[&str], command: &[&str]) -> Output {
    let mut surround = Command::new(executable("surround"));
    surround.args(arguments).arg("--").args(command).output().expect("it is built")
}

fn is_root() -> bool {
    if !Uid::current().is_root() {
        left_out::because("namespaces and other users need root");
    }
    Uid::current().is_root()
}

#[test]
fn limits_hold() {
    assert_eq!(said(&["--nofile", "64"], "ulimit -n"), "64");
}

#[test]
fn another_user_has_a_limit_of_its_own() {
    if is_root() {
        assert_eq!(
            said(&["--uid", "70000", "--nproc", "7"], "id -u; id -G; ulimit -u 2>/dev/null || ulimit -p"),
            "70000\n70000\n7"
        );
    }
}

#[test]
fn a_tmp_is_read_only_or_full_and_what_is_kept_is_there() {
    if !is_root() {
        return;
    }
    fs::create_dir_all(own_place()).expect("it is ours");
    let place = own_place().display().to_string();
    for kind in ["read-only", "full"] {
        let script =
            format!("touch /tmp/more 2>/dev/null || echo none; ls -d '{place}'; ls '{place}/..' | grep -x surround");
        let expected = format!("none\n{place}");
        let output = run(&["--tmp", kind, "--keep", &place], &["sh", "-c", &script]);
        let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        assert!(text.starts_with(&expected), "{kind}: {text}");
    }
}

/// The test's own count sees what is below another PID 1, and ends it.
#[test]
fn what_an_init_does_not_reap_is_counted() {
    if !is_root() {
        return;
    }
    let (init, daemon) = (Private::copy_of("surround"), Private::copy_of("daemon"));
    let script = format!("mkfifo said && {{ '{}' > said & read line < said; exit 3; }}", daemon.path().display());
    let mut command = Command::new(init.path());
    command.args(["--init", "--", "sh", "-c", &script]).current_dir(init.path().parent().expect("its own directory"));
    let status = command.status().expect("it is built");
    assert_eq!(status.code(), Some(3));
    let left = daemon.survivors();
    assert!(!left.is_empty() && left.iter().any(|&pid| parent(pid) == init.survivors().first().copied()), "{left:?}");
    drop(init);
    assert!(daemon.wait_gone(HANG).is_empty(), "with its PID 1 all of it goes");
}

#[test]
fn it_ends_as_its_program_did() {
    if is_root() {
        use std::os::unix::process::ExitStatusExt as _;
        let private = Private::copy_of("surround");
        let end = |script: &str| Command::new(private.path()).args(["--init", "--", "sh", "-c", script]).status();
        assert_eq!(end("exit 5").expect("it runs").code(), Some(5));
        assert_eq!(end("kill -TERM $$").expect("it runs").signal(), Some(15));
    }
}

#[test]
fn what_cannot_be_made_is_said() {
    assert_eq!(run(&["--tmp", "wet"], &["true"]).status.code(), Some(70));
    assert_eq!(run(&[], &["/no/such/program"]).status.code(), Some(70));
}
