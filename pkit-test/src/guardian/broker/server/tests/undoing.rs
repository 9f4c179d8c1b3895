//! What is undone at the end of leases.

use std::path::{Path, PathBuf};
use std::time::Instant;

use nix::sys::signal::{SIGKILL, SIGSTOP, kill};
use nix::unistd::Pid;

use super::*;
use crate::guardian::wire::Frame;
use crate::limits::REPLY_LIMIT;
use crate::output::LogFiles;

fn undo(run: &Run, command: &[&str], limit_ms: u64) -> (Ask, PathBuf) {
    let launch = launch(run, command);
    let log = launch.log.clone();
    let Frame { payload, .. } = Order::Spawn(Box::new(launch)).to_frame(0);
    (Ask::Undo { launch: payload, limit_ms }, log)
}

fn is_there(log: &Path) -> bool {
    LogFiles::at(log).data().exists()
}

fn released(fake: &mut Fake) -> Undone {
    match fake.answer() {
        Word::Released(undone) => undone,
        other => panic!("{other:?}"),
    }
}

const LONG_MS: u64 = 60_000;

#[test]
fn it_is_undone_before_the_lease_has_ended() {
    let run = Run::new();
    let (mut first, ..) = run.started("first");
    let trace = run.path("trace");
    let (ask, log) = undo(&run, &["sh", "-c", &format!("echo done > {}", trace.display())], LONG_MS);
    first.asks(&ask);
    first.releases();
    assert!(matches!(released(&mut first), Undone::Ended { exit, was_late: false, .. } if exit.success()));
    assert!(trace.exists() && !is_there(&log), "it did as it should, and nobody reads what it wrote");
    assert_eq!(run.wants("next").granted().slot, 0);
    drop(first);
    run.ends();
}

#[test]
fn whoever_dies_is_undone_too_and_its_slot_waits_for_that() {
    let run = Run::new();
    let (first, ..) = run.started("first");
    let (door, trace) = (run.path("door"), run.path("trace"));
    nix::unistd::mkfifo(&door, nix::sys::stat::Mode::S_IRWXU).unwrap();
    let script = format!("read x < {}; echo done > {}", door.display(), trace.display());
    first.asks(&undo(&run, &["sh", "-c", &script], LONG_MS).0);
    let mut second = run.wants("second");
    assert_eq!(second.granted().slot, 1);
    drop(first);
    // It is read when the errand runs, and so it is being undone now.
    std::fs::write(&door, "go\n").unwrap();
    eventually(|| trace.exists());
    eventually(|| {
        let mut next = run.wants("next");
        next.granted().slot == 0
    });
    drop(second);
    run.ends();
}

/// The runner is gone, and so is whoever would have been told.
#[test]
fn a_guardian_that_was_stopped_hears_that_its_time_is_over() {
    let mut run = Run::new();
    let (mut first, ..) = run.started("first");
    first.asks(&undo(&run, &["sleep", "1000"], 50).0);
    // The answer says that it was heard.
    first.orders(1, &Order::Sync { token: 1 });
    assert!(matches!(first.event(1), Event::Answer { token: 1, .. }));
    kill(Pid::from_raw(run.guardians()[0]), SIGSTOP).unwrap();
    run.runner_ends();
    drop(first);
    let began = Instant::now();
    run.broker_ends();
    // The order to stop may have come in one piece with the order to start. Else it ends when its guardian is overdue.
    assert!(began.elapsed() < REPLY_LIMIT, "{:?}", began.elapsed());
}

#[test]
fn one_alone_waits_for_what_is_being_undone() {
    let run = Run::new();
    let (first, ..) = run.started("first");
    let door = run.path("door");
    nix::unistd::mkfifo(&door, nix::sys::stat::Mode::S_IRWXU).unwrap();
    first.asks(&undo(&run, &["sh", "-c", &format!("read x < {}", door.display())], LONG_MS).0);
    let mut own = run.wants_as("own", |want| want.is_exclusive = true);
    assert_eq!(own.waits(), "`first` uses it");
    drop(first);
    std::fs::write(&door, "go\n").unwrap();
    assert_eq!(own.granted().slot, 0);
    drop(own);
    run.ends();
}

#[test]
fn one_that_fails_is_told_and_its_slot_is_nobodys_any_more() {
    let run = Run::new();
    let (mut first, ..) = run.started("first");
    let (ask, log) = undo(&run, &["sh", "-c", "echo no; exit 3"], LONG_MS);
    first.asks(&ask);
    first.releases();
    let Undone::Ended { exit, was_late: false, log: told } = released(&mut first) else { panic!("it has ended") };
    assert_eq!((exit.code(), &told), (Some(3), &log));
    assert!(is_there(&log), "it may be read");
    assert_eq!(run.wants("next").granted().slot, 1);
    drop(first);
    run.ends();
}

#[test]
fn one_that_takes_too_long_is_stopped() {
    let run = Run::new();
    let (mut first, ..) = run.started("first");
    first.asks(&undo(&run, &["sleep", "1000"], 1).0);
    first.releases();
    assert!(matches!(released(&mut first), Undone::Ended { was_late: true, .. }));
    drop(first);
    run.ends();
}

#[test]
fn one_that_cannot_be_run_is_refused() {
    let run = Run::new();
    let (mut first, ..) = run.started("first");
    first.asks(&Ask::Undo { launch: b"scribble".to_vec(), limit_ms: 1 });
    first.releases();
    assert!(matches!(released(&mut first), Undone::Refused { .. }));
    let mut second = run.wants("second");
    second.granted();
    let mut launch = launch(&run, &["sh"]);
    launch.program = "/nowhere".into();
    let payload = Order::Spawn(Box::new(launch)).to_frame(0).payload;
    second.asks(&Ask::Undo { launch: payload, limit_ms: LONG_MS });
    second.releases();
    assert!(matches!(released(&mut second), Undone::Refused { errno: 2, .. }));
    drop((first, second));
    run.ends();
}

#[test]
fn several_are_undone_from_the_last_to_the_first() {
    let run = Run::new();
    let (mut first, ..) = run.started("first");
    let trace = run.path("trace");
    for number in 0..3 {
        let script = format!("echo {number} >> {}", trace.display());
        first.asks(&undo(&run, &["sh", "-c", &script], LONG_MS).0);
    }
    first.releases();
    assert!(matches!(released(&mut first), Undone::Ended { .. }));
    assert_eq!(std::fs::read_to_string(&trace).unwrap(), "2\n1\n0\n");
    drop(first);
    run.ends();
}

#[test]
fn nothing_is_undone_in_an_instance_that_is_gone() {
    let run = Run::new();
    let (mut first, _, pid) = run.started("first");
    let trace = run.path("trace");
    first.asks(&undo(&run, &["sh", "-c", &format!("echo done > {}", trace.display())], LONG_MS).0);
    kill(Pid::from_raw(pid), SIGKILL).unwrap();
    while !matches!(first.event(1), Event::Gone { .. }) {}
    first.releases();
    assert_eq!(released(&mut first), Undone::Lost);
    assert!(!trace.exists());
    drop(first);
    run.ends();
}

#[test]
fn what_is_being_undone_when_the_guardian_is_killed_is_lost() {
    let run = Run::new();
    let (mut first, ..) = run.started("first");
    let door = run.path("door");
    nix::unistd::mkfifo(&door, nix::sys::stat::Mode::S_IRWXU).unwrap();
    first.asks(&undo(&run, &["sh", "-c", &format!("read x < {}; sleep 1000", door.display())], LONG_MS).0);
    first.releases();
    std::fs::write(&door, "go\n").unwrap();
    let [guardian] = run.guardians()[..] else { panic!("one guardian") };
    kill(Pid::from_raw(guardian), SIGKILL).unwrap();
    assert_eq!(released(&mut first), Undone::Lost);
    drop(first);
    run.ends();
}
