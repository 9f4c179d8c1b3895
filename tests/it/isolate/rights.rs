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
    assert!(ended.stdout.contains("test result: FAILED"), "{}", ended.text());
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
    fails(
        &victim,
        // Also where these tests themselves are run one in a process.
        &[("NEXTEST_EXECUTION_MODE", "")],
        expect![[r#"
        victims::isolate::has_a_network_of_its_own panicked at tests/it/victims/isolate.rs:
        called `Result::unwrap()` on an `Err` value: `server` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): Operation not permitted (os error 1)
          why:    it takes root, or a user namespace that is entered before `main`
          hint:   set PKIT_USER_NAMESPACE=1, or run it under nextest, which runs a process for each test"#]],
    );
}

/// Runs a victim behind a script that ends with the program that is given to it: in mounts of its own, as root.
#[track_caller]
fn prepared(script: &str, victim: &Victim, more: &[(&str, &str)]) -> Option<Ended> {
    if !geteuid().is_root() {
        left_out::because("only root can prepare it");
        return None;
    }
    victim.open_to_all();
    let mut command = victim.clean("unshare");
    command.args(["--mount", "sh", "-e", "-c", script, "sh"]);
    command.arg(victim.binary()).arg("--exact").arg(victim.path()).envs(more.iter().copied());
    Some(victim.ended(&mut command))
}

#[track_caller]
fn is_refused(script: &str, victim: &Victim, more: &[(&str, &str)], expected: Expect) {
    let Some(ended) = prepared(script, victim, more) else { return };
    assert!(ended.stdout.contains("test result: FAILED"), "{}", ended.text());
    expected.assert_eq(&ended.report());
    victim.will_be_gone(&ended);
}

const BECOME_NOBODY: &str = "exec setpriv --reuid 65534 --regid 65534 --clear-groups \"$@\"";

/// The kernel gives no user namespace to whoever has another root directory.
fn in_another_root(victim: &Victim) -> String {
    let root = victim.file("root").display().to_string();
    format!("mkdir -p {root}; mount --rbind / {root}; exec chroot --userspec 65534:65534 {root} \"$@\"")
}

#[test]
fn without_user_namespaces_ids_of_its_own_are_refused() {
    let victim = victim("isolate::has_ids_of_its_own").with("env_dump").with("daemon");
    is_refused(
        &in_another_root(&victim),
        &victim,
        &[],
        expect![[r#"
            victims::isolate::has_ids_of_its_own panicked at tests/it/victims/isolate.rs:
            called `Result::unwrap()` on an `Err` value: `env_dump` was not started: it cannot have process ids of its own
              denied: clone(CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNS): Operation not permitted (os error 1)
              hint:   it takes root (CAP_SYS_ADMIN), or a system that gives everybody user namespaces
              spec:   output("'CHILDREN/env_dump' --stay", "^end:")   tests/it/victims/isolate.rs
              ran:    CHILDREN/env_dump --stay"#]],
    );
}

#[test]
fn without_user_namespaces_a_network_of_its_own_is_refused() {
    let victim = victim("isolate::has_a_network_of_its_own").with("slow");
    is_refused(
        &in_another_root(&victim),
        &victim,
        &[("PKIT_USER_NAMESPACE", "1")],
        expect![[r#"
        victims::isolate::has_a_network_of_its_own panicked at tests/it/victims/isolate.rs:
        called `Result::unwrap()` on an `Err` value: `server` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): Operation not permitted (os error 1)
          why:    it takes root or a user namespace, and that was refused: unshare(CLONE_NEWUSER): Operation not permitted (os error 1)"#]],
    );
    is_refused(
        &in_another_root(&victim),
        &victim,
        &[("NEXTEST_EXECUTION_MODE", "process-per-test")],
        expect![[r#"
        victims::isolate::has_a_network_of_its_own panicked at tests/it/victims/isolate.rs:
        called `Result::unwrap()` on an `Err` value: `server` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): Operation not permitted (os error 1)
          why:    it takes root or a user namespace, and that was refused: unshare(CLONE_NEWUSER): Operation not permitted (os error 1)"#]],
    );
}

#[test]
fn where_parts_of_proc_are_covered_ids_of_its_own_are_refused() {
    let victim = victim("isolate::has_ids_of_its_own").with("env_dump").with("daemon");
    let script = format!("mount --bind /dev/null /proc/cpuinfo; {BECOME_NOBODY}");
    is_refused(
        &script,
        &victim,
        &[],
        expect![[r#"
        victims::isolate::has_ids_of_its_own panicked at tests/it/victims/isolate.rs:
        called `Result::unwrap()` on an `Err` value: `env_dump` was not started: it cannot have process ids of its own
          denied: mount(/proc): Operation not permitted (os error 1)
          hint:   parts of /proc are covered, as in a container, and only root may mount a whole one then
          spec:   output("'CHILDREN/env_dump' --stay", "^end:")   tests/it/victims/isolate.rs
          ran:    CHILDREN/env_dump --stay"#]],
    );
}

#[test]
fn a_limit_that_is_reached_is_said() {
    let script = "exec unshare --user --map-root-user sh -c \
        'echo 0 > /proc/sys/user/max_pid_namespaces; echo 0 > /proc/sys/user/max_net_namespaces; exec \"$@\"' sh \"$@\"";
    let pids = victim("isolate::has_ids_of_its_own").with("env_dump").with("daemon");
    is_refused(
        script,
        &pids,
        &[],
        expect![[r#"
        victims::isolate::has_ids_of_its_own panicked at tests/it/victims/isolate.rs:
        called `Result::unwrap()` on an `Err` value: `env_dump` was not started: it cannot have process ids of its own
          denied: clone(CLONE_NEWPID | CLONE_NEWNS): No space left on device (os error 28)
          hint:   a limit is reached, one of the sysctls user.max_{user,pid,mnt,net}_namespaces
          spec:   output("'CHILDREN/env_dump' --stay", "^end:")   tests/it/victims/isolate.rs
          ran:    CHILDREN/env_dump --stay"#]],
    );
    let net = victim("isolate::has_a_network_of_its_own").with("slow");
    is_refused(
        script,
        &net,
        &[],
        expect![[r#"
        victims::isolate::has_a_network_of_its_own panicked at tests/it/victims/isolate.rs:
        called `Result::unwrap()` on an `Err` value: `server` was not started: the test cannot have a network of its own
          denied: unshare(CLONE_NEWNET): No space left on device (os error 28)
          hint:   a limit is reached, one of the sysctls user.max_{user,pid,mnt,net}_namespaces"#]],
    );
}

#[test]
fn root_without_the_right_does_as_everybody() {
    let script = "exec setpriv --bounding-set -sys_admin \"$@\"";
    let pids = victim("isolate::has_ids_of_its_own").with("env_dump").with("daemon");
    let net = victim("isolate::has_a_network_of_its_own").with("slow").env("PKIT_USER_NAMESPACE", "1");
    for victim in [pids, net.env("NO_WAY_BACK", "1")] {
        let Some(ended) = prepared(script, &victim, &[]) else { return };
        assert!(ended.status.success(), "{}", ended.text());
        victim.will_be_gone(&ended);
    }
}
