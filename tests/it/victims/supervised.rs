//! Tests with supervised processes that lose their guardian, fork, or leave something up.

use std::process;
use std::sync::OnceLock;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use pkit_test::{Process, Result, Spec, Strategy, Supervision, orchestrate, orchestrated, output, tcp, with_processes};
use pkit_test_tests::process::{children, parent};

use super::chosen::{command, is_chosen, only};
use crate::child::HANG;

fn sleeper() -> Spec {
    only(|| output(command("sleeper", ""), "sleeper").supervise(Supervision::permanent()))
}

fn murder(pid: u32) {
    kill(Pid::from_raw(pid.try_into().unwrap()), Signal::SIGKILL).unwrap();
}

fn crash(process: &Process) {
    let before = process.restarts();
    process.signal(pkit_test::Signal::Kill).unwrap();
    assert_eq!(process.wait_restart(before, HANG).unwrap(), before + 1);
}

#[test]
fn the_guardian_is_killed() {
    if !is_chosen() {
        return;
    }
    let server = tcp(command("slow", "0 {port}"), 0).supervise(Supervision::permanent()).start().unwrap();
    let stack = orchestrate([("a", sleeper()), ("b", sleeper())]).strategy(Strategy::OneForAll).start().unwrap();
    let port = server.port();
    murder(children(process::id())[0]);
    assert_eq!(server.wait_restart(0, HANG).unwrap(), 1);
    stack["a"].wait_restart(0, HANG).unwrap();
    stack["b"].wait_restart(0, HANG).unwrap();
    assert!(server.is_alive() && server.port() == port);
    crash(&server);
}

#[test]
fn a_shim_is_killed() {
    if !is_chosen() {
        return;
    }
    let process = sleeper().start().unwrap();
    murder(parent(process.pid().unwrap()).unwrap());
    assert_eq!(process.wait_restart(0, HANG).unwrap(), 1);
    assert!(process.is_alive());
}

#[test]
fn a_fork_that_drops_everything_ends_nothing() {
    if !is_chosen() {
        return;
    }
    let process = sleeper().start().unwrap();
    let stack = orchestrate([("a", sleeper()), ("b", sleeper())]).strategy(Strategy::OneForAll).start().unwrap();
    // SAFETY: the child uses no lock that another thread of ours holds: they wait in system calls.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            drop((process, stack));
            process::exit(3);
        }
        ForkResult::Parent { child } => assert!(matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 3)))),
    }
    assert!(process.is_alive() && stack["a"].is_alive() && stack["b"].is_alive());
    assert_eq!(stack["a"].stdout(), "sleeper\n");
    crash(&process);
    crash(&stack["a"]);
}

#[with_processes(worker = sleeper())]
#[test]
fn fails_after_a_restart(worker: Process) {
    if is_chosen() {
        crash(&worker);
        panic!("what the body says");
    }
}

#[test]
fn fails_after_a_restart_of_its_own_handle() {
    let worker = sleeper().start().unwrap();
    if is_chosen() {
        crash(&worker);
        panic!("what the body says");
    }
}

#[with_processes(one = sleeper(), two = sleeper())]
#[test]
fn fails_in_the_middle_of_a_restart(one: &Process, two: &Process) {
    if is_chosen() {
        one.signal(pkit_test::Signal::Kill).unwrap();
        assert!(!two.is_alive(), "what the body says");
    }
}

#[test]
fn fails_while_its_supervisor_stops_another() {
    if !is_chosen() {
        return;
    }
    // It lingers far longer than whoever has read its line needs to fail.
    let slowly = output(command("polite", "1500"), "ready").supervise(Supervision::permanent());
    let both = orchestrate([("one", sleeper()), ("two", slowly)]).strategy(Strategy::OneForAll);
    let failed: Result<()> = orchestrated(both, |stack| {
        stack["one"].signal(pkit_test::Signal::Kill).unwrap();
        stack["two"].wait_for_output("bye", HANG).unwrap();
        panic!("what the body says")
    });
    failed.unwrap();
}

#[test]
fn keeps_its_handle_in_a_static() {
    static KEPT: OnceLock<Process> = OnceLock::new();
    if is_chosen() {
        crash(KEPT.get_or_init(|| sleeper().start().unwrap()));
    }
}

/// However long each of its runs takes.
fn three_times() -> Supervision {
    Supervision::permanent().intensity(3, Duration::from_secs(3600))
}

#[with_processes(worker = only(|| output(command("moody", "'{dir}/moods' ux"), "up").supervise(three_times())))]
#[test]
fn crashes_too_often(worker: Process) {
    if is_chosen() {
        worker.write_stdin("x").unwrap();
        worker.wait_restart(9, HANG).unwrap_err();
    }
}

#[with_processes(
    worker = only(|| output(command("moody", "'{dir}/moods' u"), "up").supervise(Supervision::permanent()))
)]
#[test]
fn crashes_now_and_then_and_fails_by_itself(worker: Process) {
    if is_chosen() {
        worker.write_stdin("x").unwrap();
        worker.wait_restart(0, HANG).unwrap();
        panic!("what the body says");
    }
}
