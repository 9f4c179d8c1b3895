//! What nobody is expected to do, and somebody will.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::unistd::geteuid;
use pkit_test::{Shared, Spec, bin, output, simple};

use super::run::{run, said};
use crate::child::{HANG, wait_until};
use crate::nested::{Victim, victim};

fn sleeper(of: &str) -> Spec {
    output(bin!("sleeper"), "sleeper").env("FOR", of)
}

/// Tests of one process whose runtimes give their threads the same name are two tests.
#[test]
fn two_threads_of_the_same_name_wait_for_each_other() {
    let alone = || -> Shared<Spec> { sleeper("namesakes").shared().exclusive() };
    let namesake = || thread::Builder::new().name("tokio-rt-worker".to_owned());
    let (tell, told) = mpsc::channel();
    let (end, ended) = mpsc::channel::<()>();
    let first = namesake().spawn(move || {
        let alone = alone().start().unwrap();
        tell.send(alone.pid()).unwrap();
        let _ = ended.recv_timeout(HANG);
    });
    let pid = told.recv_timeout(HANG).unwrap();
    let (tell, told) = mpsc::channel();
    let second = namesake().spawn(move || tell.send(alone().start().map(|alone| alone.pid())));
    assert!(told.recv_timeout(Duration::from_millis(100)).is_err(), "somebody has it");
    drop(end);
    assert_eq!(told.recv_timeout(HANG).unwrap().unwrap(), pid);
    first.unwrap().join().unwrap();
    second.unwrap().join().unwrap().unwrap();
}

/// Who keeps what is shared has room for many, and its servers have what they would have had.
#[test]
fn its_limit_of_open_files_is_that_of_the_run() {
    const RUNNER: &str = r#"ulimit -Sn 512; PKIT_RUN_ID=own "$@"; exit $?"#;
    let victim = victim("shared::tells_its_limits");
    let mut runner = victim.clean("/bin/sh");
    runner.args(["-c", RUNNER, "sh"]).arg(victim.binary()).args(["--exact", "victims::shared::tells_its_limits"]);
    let ended = victim.ended(runner.arg("--nocapture"));
    assert_eq!(said(&ended, "own"), ["512"]);
    assert_eq!(said(&ended, "shared"), ["512"]);
    victim.will_be_gone(&ended);
}

#[test]
fn a_time_without_end_is_no_accident() {
    let forever = sleeper("forever").start_timeout(Duration::MAX);
    let view = forever.shared().each(|_, _| Ok::<_, pkit_test::Error>(()), simple("true").start_timeout(Duration::MAX));
    drop(view.start().unwrap());
}

/// Whoever comes after it finds what it has made, or makes it anew.
#[test]
fn a_test_that_makes_files_for_nobody_keeps_nobody_out() {
    let run = run();
    let own = std::env::temp_dir().join(format!("nobody-{}", std::process::id()));
    std::fs::create_dir(&own).unwrap();
    std::fs::set_permissions(&own, std::fs::Permissions::from_mode(0o1777)).unwrap();
    let first = run.victim("shared::makes_files_for_nobody").env("TMPDIR", own.to_str().unwrap());
    let second = run.victim("shared::has_it").with("sleeper");
    let as_nobody = |victim: &Victim| if geteuid().is_root() { victim.run_as_nobody() } else { victim.run() };
    let ended = as_nobody(&first);
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    let ended = as_nobody(&second);
    assert_eq!(said(&ended, "pid").len(), 1);
    run.leaves_nothing_of(&second, &[ended]);
    // Nor does it leave what only root could remove, once its broker is gone.
    wait_until(|| std::fs::remove_dir(&own).is_ok());
}

/// What was up when the broker was killed is gone before it is started again: they would have the same directory of data.
#[test]
fn two_of_it_are_never_up_at_once() {
    let run = run();
    let victim = run.victim("shared::goes_on_without_its_broker").with("polite");
    let ended = victim.run_uncaptured();
    assert_eq!((said(&ended, "first"), said(&ended, "next")), (vec!["false"], vec!["true"]));
    run.leaves_nothing_of(&victim, &[ended]);
}
