//! When a process is ready that says so by itself.

use std::os::unix::net::UnixDatagram;

use expect_test::expect;
use pkit_test::ready::Notify;
use pkit_test::{Restart, Spec, Supervision, notify, sh, simple};

use crate::child::{Child, ENOUGH, HANG, child, too_late, writes};
use crate::text::normalised;

fn notifier(child: &Child, arguments: &str) -> Spec {
    notify(child.with(arguments))
}

#[test]
fn it_is_ready_when_it_says_so() {
    let child = child("notifier");
    for arguments in [
        "READY=1",
        "--ms 20 READY=1",
        r"'STATUS=up\nREADY=1\nMAINPID=1'",
        "STATUS=begun '' 'no line of ours' READY=0 READY=1",
        "--by child --ms 5 READY=1",
        "--by gone READY=1",
        "--by daemon --ms 5 READY=1",
    ] {
        assert!(notifier(&child, arguments).start().is_ok(), "{arguments}");
    }
}

#[test]
fn it_waits_at_no_barrier_and_is_never_kept_waiting() {
    let child = child("notifier");
    for arguments in ["--barrier --flood 3000 READY=1", "--by gone --barrier --flood 3000 READY=1"] {
        let process = notifier(&child, arguments).start().unwrap();
        process.wait_for_output("^flooded$", HANG).unwrap();
        assert_eq!(process.stdout(), "barrier\nflooded\n");
    }
}

#[test]
fn a_flood_before_it_is_ready_is_read_through() {
    let child = child("notifier");
    let flood = "WATCHDOG=1 ".repeat(2000);
    assert!(notifier(&child, &format!("{flood} READY=1")).start().is_ok());
    // Nobody reads it before it is waited for.
    let error = too_late(notifier(&child, "--tell --flood 100000000 STATUS=busy"), writes("^told$"));
    assert!(error.is_timeout() && error.to_string().contains("its status is \"busy\", "), "{error}");
}

#[test]
fn what_it_says_instead_is_told() {
    let child = child("notifier");
    let error =
        too_late(notifier(&child, r"--tell 'STATUS=loading 3 of 7' 'ERRNO=28\nX=1' WATCHDOG=1"), writes("^told$"));
    expect![[r#"
        `notifier` was not ready after 1.5 s
          spec:   notify("'CHILDREN/notifier' --tell 'STATUS=loading 3 of 7' 'ERRNO=28\nX=1' WATCHDOG=1")   tests/it/events/notify.rs
          ran:    CHILDREN/notifier --tell 'STATUS=loading 3 of 7' 'ERRNO=28\nX=1' WATCHDOG=1   pid N, in N ms
          probe:  READY=1 at $NOTIFY_SOCKET: its status is "loading 3 of 7", its error is No space left on device (os error 28), 1 message said something else, N tries
          stdout: told"#]]
    .assert_eq(&normalised(&error.to_string()));
    let sleeper = self::child("sleeper");
    let error = too_late(notify(sleeper.with("")), writes("^sleeper$"));
    assert!(
        error.to_string().contains(
            "READY=1 at $NOTIFY_SOCKET: it has said nothing, as programs do that know nothing of sd_notify, "
        ),
        "{error}"
    );
}

#[test]
fn what_it_said_before_its_end_is_heard() {
    let child = child("notifier");
    let then_exits = |code: u32| {
        let sends = child.with("--by gone READY=1 & n=$!");
        notify(sh(format!("{sends}; while kill -0 $n && test -S $NOTIFY_SOCKET; do :; done 2>/dev/null; exit {code}")))
    };
    // It goes on while the socket lives, which is as long as its handle.
    assert!(then_exits(0).may_exit().start().is_ok());
    let says = format!("cd {{dir}}; mkfifo p; {} > p & n=$!", child.with("--tell STATUS=x"));
    let error = notify(sh(format!("{says}; read told < p; kill -9 $n; exit 3"))).start().unwrap_err();
    assert!(error.is_exit() && error.to_string().contains("its status is \"x\""), "{error}");
}

#[test]
fn a_stranger_is_not_heard_and_is_named() {
    let sleeper = child("sleeper");
    let spec = || notify(sh(format!("echo $NOTIFY_SOCKET; exec {}", sleeper.with("")))).start_timeout(HANG);
    let process = spec().start_timeout(ENOUGH).spawn().unwrap();
    say_ready_to(&process);
    let error = process.wait_ready().unwrap_err();
    assert!(error.is_timeout());
    let text = normalised(&error.to_string());
    assert!(text.contains("READY=1 at $NOTIFY_SOCKET: somebody else wrote to it: `THIS TEST"), "{text}");

    let process = spec().any_owner().spawn().unwrap();
    say_ready_to(&process);
    process.wait_ready().unwrap();
}

fn say_ready_to(process: &pkit_test::Process) {
    let path = process.wait_for_output("^/.*notify.*$", HANG).unwrap();
    UnixDatagram::unbound().unwrap().send_to(b"READY=1", path.line()).unwrap();
}

#[test]
fn every_start_has_a_socket_of_its_own() {
    let child = child("notifier");
    let process = notifier(&child, "--ms 2 READY=1").supervise(Supervision::permanent()).start().unwrap();
    for how in [Restart::Forced, Restart::Graceful] {
        process.restart(how).unwrap();
    }
    let before = process.restarts();
    process.signal(pkit_test::Signal::Kill).unwrap();
    process.wait_restart(before, HANG).unwrap();
    process.stop().unwrap();
    process.start().unwrap();
    process.replace(notifier(&child, "--ms 3 READY=1")).unwrap();
    let left: Vec<_> = std::fs::read_dir(process.dir()).unwrap().flatten().map(|entry| entry.path()).collect();
    assert_eq!(left.len(), 1, "{left:?}");
}

#[test]
fn a_socket_is_named_to_nobody_else() {
    let process = simple(sh("echo ${NOTIFY_SOCKET-none}")).may_exit().start().unwrap();
    process.wait().unwrap();
    assert_eq!(process.stdout(), "none\n");
    // What the spec says is meant.
    let process = simple(sh("echo $NOTIFY_SOCKET")).env("NOTIFY_SOCKET", "/x").may_exit().start().unwrap();
    process.wait().unwrap();
    assert_eq!(process.stdout(), "/x\n");
    // With an empty environment it is the only one.
    let child = child("notifier");
    assert!(notifier(&child, "READY=1").env_clear().start().is_ok());
}

#[test]
fn two_meanings_of_one_variable_are_a_mistake() {
    let error = notify("sleep 60").ready(Notify::ready()).start().unwrap_err();
    assert!(error.is_spec() && error.to_string().contains("two of its probes want to be what NOTIFY_SOCKET names"));
    let error = notify("sleep 60").env("NOTIFY_SOCKET", "/x").start().unwrap_err();
    assert!(error.is_spec() && error.to_string().contains("it sets NOTIFY_SOCKET, and so does its probe"));
}
