//! Everybody dies at any moment, again and again: one second here, longer where `PKIT_RACE_SECONDS` says so.

use std::time::Instant;

use nix::sys::signal::{SIGKILL, kill};
use nix::unistd::Pid;

use super::fake::is_gone;
use super::*;
use crate::guardian::protocol::Keep;
use crate::sys::random::random;

fn seconds() -> u64 {
    let set = std::env::var("PKIT_RACE_SECONDS").ok();
    set.and_then(|seconds| seconds.parse().ok()).unwrap_or(1)
}

fn chance(one_in: u64) -> bool {
    random() % one_in == 0
}

#[test]
fn whoever_dies_whenever_nothing_is_left_and_nobody_waits_for_ever() {
    let end = Instant::now() + Duration::from_secs(seconds());
    while Instant::now() < end {
        let run = Run::new();
        let pids = std::sync::Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for number in 0..6 {
                let (run, pids) = (&run, &pids);
                scope.spawn(move || (0..10).for_each(|_| takes_part(run, &format!("t{number}"), pids)));
            }
        });
        run.ends();
        pids.into_inner().unwrap().into_iter().for_each(is_gone);
    }
}

/// One test, which may die after each of its steps.
fn takes_part(run: &Run, who: &str, pids: &std::sync::Mutex<Vec<i32>>) {
    let is_exclusive = chance(4);
    let mut fake = run.wants_as(who, |want| (want.is_exclusive, want.tries_again) = (is_exclusive, true));
    match fake.answer() {
        Word::Start { next_id } => {
            if chance(6) {
                return;
            }
            fake.begins();
            fake.greets(run, Keep::Never);
            fake.spawns(next_id, launch(run, &["sleep", "1000"]));
            if chance(6) {
                return;
            }
            // The guardian may be killed by another one.
            match fake.event(next_id) {
                Event::Started { pid, .. } => pids.lock().unwrap().push(pid),
                Event::Lost | Event::Declined => return fake.asks(&Ask::NotStarted(b"killed".to_vec())),
                other => panic!("{other:?}"),
            }
            fake.asks(&Ask::Ready { parts: Vec::new(), vital: vec![next_id] });
        }
        Word::Granted(_) => return holds(run, &mut fake, pids),
        Word::Failed(_) => return,
        other => panic!("{other:?}"),
    }
    if !chance(6) {
        fake.granted();
        holds(run, &mut fake, pids);
    }
}

fn holds(run: &Run, fake: &mut Fake, pids: &std::sync::Mutex<Vec<i32>>) {
    if chance(8) {
        let service = pids.lock().unwrap().last().copied();
        // It may be a stranger's by now only where ids come round within a second, and its parent is looked at all the same.
        let is_ours = |pid: &i32| procfs::is_below(*pid, run.broker());
        service.filter(is_ours).into_iter().for_each(|pid| _ = kill(Pid::from_raw(pid), SIGKILL));
    }
    if chance(12) {
        run.guardians().first().into_iter().for_each(|pid| _ = kill(Pid::from_raw(*pid), SIGKILL));
    }
    if chance(3) {
        let launch = launch(run, &["true"]);
        let payload = Order::Spawn(Box::new(launch)).to_frame(0).payload;
        fake.asks(&Ask::Undo { launch: payload, limit_ms: 10_000 });
    }
    if chance(2) {
        fake.releases();
        assert!(matches!(fake.answer(), Word::Released(_)));
    }
}
