//! Who may have it, and what is said to whoever may not.

use std::os::unix::process::CommandExt as _;
use std::process::Command;

use expect_test::{Expect, expect};
use nix::unistd::geteuid;
use pkit_test_tests::left_out;

use crate::nested::{Ended, Victim, victim};

/// Somebody who is nobody, and may do nothing.
const NOBODY: u32 = 65_534;

/// Runs a victim as somebody without rights: nobody, where we are root, and else us.
fn run_without_rights(victim: &Victim, more: &[(&str, &str)]) -> Option<Ended> {
    let mut command = victim.command();
    command.arg("--exact").arg(victim.path()).envs(more.iter().copied());
    if geteuid().is_root() {
        victim.open_to_all();
        command.uid(NOBODY).gid(NOBODY);
        if !may_execute(victim) {
            left_out::because("nobody else may look into the target directory");
            return None;
        }
    }
    Some(victim.ended(&mut command))
}

fn may_execute(victim: &Victim) -> bool {
    let status =
        Command::new(victim.binary()).arg("--list").arg("--exact").arg("none").uid(NOBODY).gid(NOBODY).output();
    status.is_ok_and(|output| output.status.success())
}

#[track_caller]
fn passes(victim: &Victim, more: &[(&str, &str)]) {
    let Some(ended) = run_without_rights(victim, more) else { return };
    assert!(ended.status.success(), "{}", ended.text());
    victim.will_be_gone(&ended);
}

#[track_caller]
fn fails(victim: &Victim, more: &[(&str, &str)], expected: Expect) {
    let Some(ended) = run_without_rights(victim, more) else { return };
    assert!(!ended.status.success(), "{}", ended.text());
    expected.assert_eq(&ended.report());
    victim.will_be_gone(&ended);
}

#[test]
fn nobody_in_particular_has_ids_of_its_own() {
    passes(&victim("isolate::has_ids_of_its_own").with("env_dump").with("daemon"), &[]);
}

#[test]
fn nobody_in_particular_has_a_network_where_it_is_said_before() {
    let victim = victim("isolate::has_a_network_of_its_own").with("slow");
    passes(&victim, &[("PKIT_USER_NAMESPACE", "1")]);
}

#[test]
fn a_process_of_one_test_begins_anew_by_itself() {
    let victim = victim("isolate::has_a_network_of_its_own").with("slow");
    passes(&victim, &[("NEXTEST_EXECUTION_MODE", "process-per-test")]);
}

#[test]
fn a_process_of_many_tests_says_what_to_do() {
    let victim = victim("isolate::has_a_network_of_its_own").with("slow");
    fails(&victim, &[], expect![[r#"
        victims::isolate::has_a_network_of_its_own panicked at tests/it/victims/isolate.rs:
        called `Result::unwrap()` on an `Err` value: `server` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): Operation not permitted (os error 1)
          why:    it takes root, or a user namespace that is entered before `main`
          hint:   set PKIT_USER_NAMESPACE=1, or run it under nextest, which runs a process for each test"#]]);
}
