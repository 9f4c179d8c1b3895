//! For itself alone.

use super::fake::is_gone;
use super::*;

#[test]
fn one_alone_waits_for_all_and_all_wait_for_it() {
    let run = Run::new();
    let (first, _, pid) = run.started("first");
    let mut own = run.wants_as("own", |want| want.is_exclusive = true);
    assert_eq!(own.waits(), "`first` uses it");
    let mut late = run.wants("late");
    assert_eq!(late.waits(), "`own` waits to have it for itself");
    first.releases();
    let granted = own.granted();
    assert_eq!((granted.starts, granted.next_id), (1, 2));
    assert_eq!(late.waits(), "`own` has it for itself");
    // It may do everything: it ends the service and starts another one.
    own.orders(1, &Order::Stop(launch(&run, &["sleep"]).stop));
    while !matches!(own.event(1), Event::Gone { was_asked: true, .. }) {}
    own.spawns(2, launch(&run, &["sleep", "1000"]));
    let again = own.sees_it_start(2);
    own.asks(&Ask::Release { failed: false, changed: vec![(0, b"new".to_vec())], vital: Some(vec![2]) });
    assert_eq!(own.answer(), Word::Released(Undone::Nothing));
    assert!(matches!(late.event(2), Event::Started { pid, .. } if pid == again));
    let granted = late.granted();
    assert_eq!((granted.parts, granted.starts, granted.next_id), (vec![b"new".to_vec()], 1, 3));
    assert_ne!(pid, again);
    drop((first, own, late));
    run.ends();
    is_gone(again);
}

#[test]
fn what_one_alone_has_left_dead_or_died_with_is_started_anew() {
    for dies in [false, true] {
        let run = Run::new();
        let mut own = run.wants_as("own", |want| want.is_exclusive = true);
        own.starts(&run, &["sleep", "1000"]);
        own.is_ready();
        let mut next = run.wants("next");
        next.waits();
        own.orders(1, &Order::Stop(launch(&run, &["sleep"]).stop));
        while !matches!(own.event(1), Event::Gone { .. }) {}
        if dies {
            drop(own);
        } else {
            own.releases();
            own.answer();
        }
        next.starts(&run, &["sleep", "1000"]);
        assert_eq!(next.is_ready().starts, 2);
        drop(next);
        run.ends();
    }
}

#[test]
fn whoever_spawns_and_dies_takes_that_with_it() {
    let run = Run::new();
    let mut own = run.wants_as("own", |want| want.is_exclusive = true);
    own.starts(&run, &["sleep", "1000"]);
    own.is_ready();
    let mut next = run.wants("next");
    next.waits();
    own.spawns(2, launch(&run, &["sleep", "1000"]));
    let spawned = own.sees_it_start(2);
    drop(own);
    next.is_told_to_start();
    assert!(!procfs::is_alive(spawned));
    drop(next);
    run.ends();
}

#[test]
fn nobody_waits_for_itself() {
    let run = Run::new();
    let (first, ..) = run.started("first");
    let mut own = run.wants_as("first", |want| want.is_exclusive = true);
    assert_eq!(own.refused(), "`first` has it already, and would wait for itself: it has to drop that first");
    // Nor for somebody who waits for it.
    let mut alone = run.wants_as("alone", |want| want.is_exclusive = true);
    alone.waits();
    let mut twice = run.wants("first");
    assert_eq!(twice.granted().slot, 1);
    drop((first, twice));
    alone.granted();
    drop((own, alone));
    run.ends();
}
