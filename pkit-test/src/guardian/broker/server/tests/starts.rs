//! Who starts it, and who gets it.

use super::fake::is_gone;
use super::*;
use crate::guardian::protocol::Keep;

#[test]
fn one_starts_it_and_all_others_have_it_too() {
    let run = Run::new();
    let (mut first, granted, pid) = run.started("first");
    assert_eq!((granted.slot, granted.starts, granted.next_id, granted.parts.len()), (0, 1, 2, 1));
    let mut second = run.wants("second");
    assert_eq!(second.sees_it_start(1), pid, "what has happened is told first");
    let granted = second.granted();
    assert_eq!((granted.slot, granted.number, granted.starts), (1, 2, 1));
    first.releases();
    assert_eq!(first.answer(), Word::Released(Undone::Nothing));
    let mut third = run.wants("third");
    assert_eq!(third.granted().slot, 0, "the smallest that nobody has");
    drop((first, second, third));
    run.ends();
    is_gone(pid);
}

#[test]
fn two_that_are_not_the_same_are_two() {
    let run = Run::new();
    let (first, _, pid) = run.started("first");
    let mut other = run.wants_as("second", |want| want.key = "another".into());
    let other_pid = other.starts(&run, &["sleep", "1000"]);
    assert_eq!((other.is_ready().slot, run.guardians().len()), (0, 2));
    assert_ne!(pid, other_pid);
    drop((first, other));
    run.ends();
    is_gone(other_pid);
}

/// How far a starter comes before it is gone.
const STEPS: [&str; 7] = ["called", "begun", "greeted", "ordered", "started", "ready", "granted"];

fn goes_after(run: &Run, mut starter: Fake, step: usize) {
    let first = starter.is_told_to_start();
    let steps: [&dyn Fn(&mut Fake); 6] = [
        &|starter| starter.begins(),
        &|starter| starter.greets(run, Keep::Never),
        &|starter| starter.spawns(first, launch(run, &["sleep", "1000"])),
        &|starter| _ = starter.sees_it_start(first),
        &|starter| starter.asks(&Ask::Ready { parts: Vec::new(), vital: vec![first] }),
        &|starter| _ = starter.granted(),
    ];
    steps.iter().take(step).for_each(|step| step(&mut starter));
}

#[test]
fn whoever_dies_in_the_start_is_followed_by_the_next_at_once() {
    for (step, name) in STEPS.iter().enumerate() {
        let run = Run::new();
        let starter = run.wants("starter");
        let mut next = run.wants("next");
        assert_eq!(next.waits(), "`starter` starts it");
        goes_after(&run, starter, step);
        // Ready is ready, whether or not anybody is there to read the answer.
        match next.answer() {
            Word::Start { .. } if step < 5 => {
                assert_eq!(run.guardians().len(), 0, "{name}: nothing is left of it");
                next.begins();
                next.greets(&run, Keep::Never);
                next.spawns(1, launch(&run, &["sleep", "1000"]));
                next.sees_it_start(1);
                assert_eq!(next.is_ready().starts, 1);
            }
            Word::Granted(granted) if step >= 5 => assert_eq!(granted.starts, 1, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
        drop(next);
        run.ends();
    }
}

#[test]
fn what_has_failed_has_failed_for_all() {
    let run = Run::new();
    let mut starter = run.wants("starter");
    let mut waiting = run.wants("waiting");
    waiting.waits();
    starter.starts(&run, &["sleep", "1000"]);
    starter.asks(&Ask::NotStarted(b"it is broken".to_vec()));
    let mut late = run.wants("late");
    for fake in [&mut starter, &mut waiting, &mut late] {
        assert_eq!(fake.answer(), Word::Failed(b"it is broken".to_vec()));
    }
    let mut again = run.wants_as("again", |want| want.tries_again = true);
    let mut other = run.wants_as("another", |want| want.tries_again = true);
    again.starts(&run, &["sleep", "1000"]);
    assert_eq!(again.is_ready().starts, 1);
    assert_eq!(other.granted().slot, 1);
    assert_eq!(run.wants("later").granted().slot, 2, "it is up");
    drop((again, other));
    run.ends();
}

#[test]
fn a_service_that_dies_is_started_anew_for_the_next() {
    let run = Run::new();
    let (mut holder, _, pid) = run.started("holder");
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::SIGKILL).unwrap();
    assert!(matches!(holder.event(1), Event::Exited { was_asked: false, .. }));
    assert!(matches!(holder.event(1), Event::Gone { was_asked: false, .. }));
    let mut next = run.wants("next");
    next.starts(&run, &["sleep", "1000"]);
    let granted = next.is_ready();
    assert_eq!((granted.starts, granted.slot), (2, 1), "who has the old one has it still");
    drop((holder, next));
    run.ends();
}

#[test]
fn one_that_was_dead_when_it_was_called_ready_is_had_and_known_to_be_dead() {
    let run = Run::new();
    let mut starter = run.wants("starter");
    starter.starts(&run, &["sh", "-c", "exit 3"]);
    while !matches!(starter.event(1), Event::Gone { .. }) {}
    starter.is_ready();
    let mut next = run.wants("next");
    next.starts(&run, &["sleep", "1000"]);
    assert_eq!(next.is_ready().starts, 2);
    drop((starter, next));
    run.ends();
}

#[test]
fn a_guardian_that_is_killed_is_lost_with_all_that_it_had() {
    let run = Run::new();
    let (mut holder, _, pid) = run.started("holder");
    let [guardian] = run.guardians()[..] else { panic!("one guardian") };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guardian), nix::sys::signal::SIGKILL).unwrap();
    assert_eq!(holder.event(1), Event::Lost);
    let mut next = run.wants("next");
    next.is_told_to_start();
    assert!(!procfs::is_alive(pid) && run.guardians().is_empty(), "nothing of it is left before the next start");
    drop((holder, next));
    run.ends();
}

#[test]
fn a_guardian_and_its_shims_that_are_killed_leave_nothing() {
    let run = Run::new();
    let mut starter = run.wants("starter");
    // Its child leaves the session, and would live on.
    starter.starts(&run, &["sh", "-c", "setsid sleep 1000 & echo $! >&2; exec sleep 1000"]);
    starter.is_ready();
    let [guardian] = run.guardians()[..] else { panic!("one guardian") };
    eventually(|| procfs::descendants(guardian).iter().filter(|pid| is_sleep(**pid)).count() == 2);
    let all = procfs::descendants(guardian);
    let shims = all.iter().filter(|pid| procfs::name(**pid).as_deref() == Some("pkit-shim"));
    for pid in [guardian].iter().chain(shims) {
        // A spare shim ends by itself when its guardian has.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(*pid), nix::sys::signal::SIGKILL);
    }
    assert_eq!(starter.event(1), Event::Lost);
    let mut next = run.wants("next");
    next.is_told_to_start();
    assert!(all.iter().all(|pid| !procfs::is_alive(*pid)));
    drop((starter, next));
    run.ends();
}

fn is_sleep(pid: i32) -> bool {
    procfs::name(pid).as_deref() == Some("sleep")
}

#[test]
fn a_starter_whose_guardian_is_killed_says_what_becomes_of_it() {
    let run = Run::new();
    let mut starter = run.wants("starter");
    starter.starts(&run, &["sleep", "1000"]);
    let mut waiting = run.wants("waiting");
    waiting.waits();
    let [guardian] = run.guardians()[..] else { panic!("one guardian") };
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(guardian), nix::sys::signal::SIGKILL).unwrap();
    assert_eq!(starter.event(1), Event::Lost);
    starter.spawns(2, launch(&run, &["sleep", "1000"]));
    assert_eq!(starter.event(2), Event::Declined);
    starter.asks(&Ask::NotStarted(b"killed".to_vec()));
    assert_eq!(waiting.answer(), Word::Failed(b"killed".to_vec()));
    drop((starter, waiting));
    run.ends();
}

#[test]
fn a_binary_that_cannot_be_executed_is_said_to_be_so() {
    let run = Run::new();
    let mut starter = run.wants("starter");
    let mut next = run.wants("next");
    starter.is_told_to_start();
    starter.asks_with(&Ask::Begin, Some(std::fs::File::open("/dev/null").unwrap().into()));
    assert!(starter.refused().contains("was not started"));
    starter.spawns(1, launch(&run, &["sleep", "1000"]));
    assert_eq!(starter.event(1), Event::Declined);
    next.is_told_to_start();
    drop((starter, next));
    run.ends();
}

#[test]
fn each_hears_the_answers_to_its_own_questions() {
    let run = Run::new();
    let mut starter = run.wants("starter");
    starter.starts(&run, &["sh", "-c", "read x; echo $x; read y; exec sleep 1000"]);
    starter.is_ready();
    let mut others: Vec<Fake> = (0..3).map(|number| run.wants(&format!("other {number}"))).collect();
    for other in &mut others {
        other.granted();
        // The same token as that of all others.
        other.orders(1, &Order::Sync { token: 1 });
        other.orders(1, &Order::Signal { token: 2, number: 9 });
    }
    for other in &mut others {
        let mut answers = [other.event(1), other.event(1)];
        answers.sort_by_key(|event| matches!(event, Event::Answer { token: 2, .. }));
        assert!(matches!(answers[0], Event::Answer { token: 1, errno: 0, .. }), "{answers:?}");
        assert!(matches!(answers[1], Event::Answer { token: 2, errno: 1, .. }), "nobody but one alone may do that");
    }
    drop((starter, others));
    run.ends();
}

#[test]
fn whoever_watches_is_told_of_more_output() {
    let run = Run::new();
    let (mut first, ..) = {
        let mut first = run.wants("first");
        first.starts(&run, &["sh", "-c", "while read line; do :; done; echo one; sleep 1000"]);
        let granted = first.is_ready();
        (first, granted)
    };
    let mut second = run.wants("second");
    second.granted();
    first.orders(1, &Order::Watch { seen: 0 });
    second.orders(1, &Order::Watch { seen: 0 });
    for fake in [&mut first, &mut second] {
        assert!(matches!(fake.event(1), Event::Output { end } if end > 0));
    }
    // It is known already, and said at once.
    let mut third = run.wants("third");
    third.granted();
    third.orders(1, &Order::Watch { seen: 0 });
    assert!(matches!(third.event(1), Event::Output { .. }));
    drop((first, second, third));
    run.ends();
}
