//! Hostile children that are shared: each of those of the crash tests × each end of those who have to do with it.
//!
//! The runner is a script here, which says so; it costs less than others.

use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child as Process, Stdio};

use nix::sys::signal::Signal;
use pkit_test_tests::private::{Private, wait_gone};
use pkit_test_tests::process::{parent, signal_process};

use crate::children::{CHILDREN, Child};
use crate::scene::{HANG, Scene};

const RUNNER: &str = r#"export PKIT_RUN_ID=one@$$; "$@" --exact special::has_a_child; exit"#;

/// How it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    TestReturns,
    TestIsKilled,
    RunnerIsKilled,
    BrokerIsKilled,
    GuardianIsKilled,
}

const ENDS: [End; 5] =
    [End::TestReturns, End::TestIsKilled, End::RunnerIsKilled, End::BrokerIsKilled, End::GuardianIsKilled];

pub(crate) fn children(scene: &Scene) {
    CHILDREN.iter().filter(|child| !child.is_function).for_each(|child| nothing_is_left(scene, child));
}

fn nothing_is_left(scene: &Scene, child: &Child) {
    let copy = Private::copy_of(child.program);
    for end in ENDS {
        ends(scene, child, &copy, end);
        scene.nothing_runs();
    }
    // Whose broker was killed has nobody who could remove the directory of the run, but the next one.
    ends(scene, child, &copy, End::TestReturns);
    scene.nothing_is_left();
}

fn ends(scene: &Scene, child: &Child, copy: &Private, end: End) {
    let leases = scene.ledger.all("lease").len();
    let mut runner = runner(scene, child, copy, end);
    scene.ledger.wait_for("lease", leases + 1);
    let test = scene.ledger.all("lease")[leases].pid;
    match end {
        End::TestReturns | End::TestIsKilled => {}
        // As long as the test has it, it is there; and the test is nobody's.
        End::RunnerIsKilled => {
            kill(runner.id());
            kill(test);
        }
        End::BrokerIsKilled => kill(scene.broker()),
        End::GuardianIsKilled => kill(guardian(scene)),
    }
    let left = wait_gone(copy.path(), HANG);
    assert!(left.is_empty(), "{}, {end:?}: {left:?} left of it", child.name);
    if let End::BrokerIsKilled | End::GuardianIsKilled = end {
        kill(test);
    }
    check_runner(&mut runner, child, end);
}

fn runner(scene: &Scene, child: &Child, copy: &Private, end: End) -> Process {
    let mut command = scene.command("sh");
    command.args(["-c", RUNNER, "sh"]).arg(scene.binary(0));
    command.env("CROWD_COMMAND", copy.command(child.arguments)).env("CROWD_READY", child.ready);
    let then = match end {
        End::TestReturns => "returns",
        End::TestIsKilled => "dies",
        _ => "waits",
    };
    command.env("CROWD_THEN", then);
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it can be run")
}

/// The guardian of what is shared is a child of the broker.
fn guardian(scene: &Scene) -> u32 {
    let broker = scene.broker();
    let found = scene.pids().into_iter().find(|&pid| parent(pid) == Some(broker));
    found.expect("something is shared")
}

fn check_runner(runner: &mut Process, child: &Child, end: End) {
    let status = runner.wait().expect("it is our child");
    let as_expected = match end {
        End::TestReturns => status.success(),
        End::RunnerIsKilled => status.signal() == Some(Signal::SIGKILL as i32),
        _ => status.code() == Some(128 + Signal::SIGKILL as i32),
    };
    assert!(as_expected, "{}, {end:?}: {status}", child.name);
}

fn kill(pid: u32) {
    signal_process(pid, Signal::SIGKILL).expect("it is there until then");
}
