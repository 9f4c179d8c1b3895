//! Runs that are ended from outside, in the middle: nothing is left of them, and of whatever their tests still do.

use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pkit_test_tests::process::signal_process;

use crate::said::Said;
use crate::scene::{CROWD, SOME, Scene, run};
use crate::together::ONCE;

/// So many leases are some seconds of a run, and a third of it.
const SOME_LEASES: usize = 60;

/// The last of each binary wait for our deed, so that it is in the middle however long we take.
const LAST_COME_LATER: &str = "gate:55";

/// What has a janitor.
const NEXT: &str = "binary(=alpha) and test(=many::n00)";

/// Its tests go on without it, as nobody ends them; the servers go with the last one that has a lease.
pub(crate) fn killed(scene: &Scene) {
    ended(scene, scene.nextest(CROWD), |runner| signal_process(runner, Signal::SIGKILL));
}

/// As by a terminal: everybody in its group.
pub(crate) fn interrupted(scene: &Scene) {
    let said = ended(scene, scene.nextest(CROWD), |runner| kill(group(runner), Signal::SIGINT));
    said.check_no_leak();
    assert!(!said.status.success(), "{}", said.text);
}

pub(crate) fn terminated(scene: &Scene) {
    let said = ended(scene, scene.nextest(CROWD), |runner| signal_process(runner, Signal::SIGTERM));
    said.check_no_leak();
}

/// The binary that it runs goes on as well.
pub(crate) fn cargo_killed(scene: &Scene) {
    ended(scene, scene.cargo_test(&["--test-threads=8"]), |runner| signal_process(runner, Signal::SIGKILL));
}

pub(crate) fn timed_out(scene: &Scene) {
    let said = run(&mut scene.nextest(&format!("{SOME} or test(=special::hangs)")));
    said.check_no_leak();
    let failures = said.failures();
    let is_that = |(verdict, test): &(String, String)| verdict == "TIMEOUT" && test.ends_with("special::hangs");
    assert!(failures.iter().all(is_that) && !failures.is_empty(), "{failures:?}\n{}", said.text);
    scene.ledger.check_starts(&ONCE);
    scene.ledger.check_views();
}

fn ended(scene: &Scene, mut command: Command, end: impl FnOnce(u32) -> nix::Result<()>) -> Said {
    let command = command.env("CROWD_TROUBLE", LAST_COME_LATER);
    let runner: Child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it can be run");
    scene.ledger.wait_for("lease", SOME_LEASES);
    scene.ledger.check_starts(&[("db", 1)]);
    end(runner.id()).expect("it has not ended yet");
    scene.open_gate();
    let said = Said::of(runner.wait_with_output().expect("it is our child"));
    scene.nothing_runs();
    // Who is killed between the making of a directory and the start of what removes it leaves that to the next run.
    run(&mut scene.nextest(NEXT));
    said
}

fn group(leader: u32) -> Pid {
    Pid::from_raw(-i32::try_from(leader).expect("a pid is small"))
}
