//! Waiting for values.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use super::{LONG, SHORT, World, process, race_end};
use crate::error::Error;

pub(super) fn a_value_that_is_there_is_not_waited_for(world: &dyn World) {
    let state = process(world, "one");
    state.set("n", &5).unwrap();
    assert_eq!(state.wait_until("n", |n: &u32| *n == 5, LONG).unwrap(), 5);
    assert_eq!(state.wait_present::<u32>("n", LONG).unwrap(), 5);
    state.wait_equal("n", &5_u8, LONG).unwrap();
    state.wait_absent("m", LONG).unwrap();
    assert_eq!(state.counter("c").wait_at_least(0, LONG).unwrap(), 0);
}

/// None is left out, however quickly it is gone, and none comes twice.
pub(super) fn every_value_is_shown(world: &dyn World) {
    const LAST: u32 = 2000;
    let (one, other) = (process(world, "one"), process(world, "other"));
    one.set("n", &0).unwrap();
    let (begun, has_begun) = channel();
    thread::scope(|scope| {
        let waiter = scope.spawn(move || {
            let mut seen = Vec::new();
            one.wait_until(
                "n",
                |n: &u32| {
                    if *n == 0 {
                        begun.send(()).unwrap();
                    }
                    seen.push(*n);
                    *n == LAST
                },
                LONG,
            )
            .unwrap();
            seen
        });
        has_begun.recv().unwrap();
        (1..=LAST).for_each(|n| other.set("n", &n).unwrap());
        assert_eq!(waiter.join().unwrap(), (0..=LAST).collect::<Vec<_>>());
    });
}

pub(super) fn absence_is_waited_for(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    one.set("n", &5).unwrap();
    let mut changes = other.watch(&["n"]).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(move || one.wait_absent("n", LONG));
        other.set("n", &6).unwrap();
        other.remove("n").unwrap();
        waiter.join().unwrap().unwrap();
    });
    assert!(!changes.next().unwrap().unwrap().is_removed() && changes.next().unwrap().unwrap().is_removed());
}

pub(super) fn a_timeout_tells_what_was_seen_last(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    let said = |error: Error| {
        assert!(error.is_timeout());
        error.to_string().split(" (pid").next().unwrap_or_default().to_owned()
    };
    let never = |_: &u32| false;
    let error = one.wait_until("n", never, SHORT).unwrap_err();
    assert_eq!(said(error), "`n` was not as it should be within 30 ms\n  value:  none: it is absent");
    other.set("n", &7).unwrap();
    let error = one.wait_until("n", never, SHORT).unwrap_err();
    assert_eq!(said(error), "`n` was not as it should be within 30 ms\n  value:  7\n  set by: `other`");
    let error = one.wait_equal("n", &8, SHORT).unwrap_err();
    assert_eq!(said(error), "`n` was not equal within 30 ms\n  wanted: 8\n  value:  7\n  set by: `other`");
    let error = one.wait_absent("n", SHORT).unwrap_err();
    assert_eq!(said(error), "`n` was not removed within 30 ms\n  value:  7\n  set by: `other`");
    let error = one.wait_present::<u32>("m", SHORT).unwrap_err();
    assert_eq!(said(error), "`m` was not set within 30 ms\n  value:  none: it is absent");
    let error = one.wait_change(&["m", "n"], SHORT).unwrap_err();
    assert_eq!(said(error), "`m`, `n`: nothing was changed within 30 ms");
    one.counter("c").add(2).unwrap();
    let error = other.counter("c").wait_at_least(3, SHORT).unwrap_err();
    assert_eq!(said(error), "counter `c` was not 3 within 30 ms\n  value:  2\n  set by: `one`");
}

pub(super) fn no_time_is_one_look(world: &dyn World) {
    let state = process(world, "one");
    state.set("n", &5).unwrap();
    assert_eq!(state.wait_until("n", |n: &u32| *n == 5, Duration::ZERO).unwrap(), 5);
    assert!(state.wait_until("n", |n: &u32| *n == 6, Duration::ZERO).unwrap_err().is_timeout());
    assert!(state.wait_change(&["n"], Duration::ZERO).unwrap_err().is_timeout());
    assert!(state.watch_all().unwrap().next_timeout(Duration::ZERO).unwrap().is_none());
}

pub(super) fn a_change_is_waited_for(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    thread::scope(|scope| {
        let waiter = scope.spawn(move || one.wait_change(&["a", "b"], LONG));
        // Nobody can say when it has begun to wait.
        let mut n = 0;
        while !waiter.is_finished() {
            other.set("c", &n).unwrap();
            other.set("b", &n).unwrap();
            n += 1;
        }
        let change = waiter.join().unwrap().unwrap();
        assert_eq!((change.key(), change.by().name()), ("b", "other"));
        assert!(change.require::<u32>().unwrap() < n);
        assert!(change.value::<String>().unwrap_err().is_wrong_type());
    });
    let keys: [&str; 0] = [];
    assert!(other.wait_change(&keys, LONG).unwrap_err().is_spec());
}

pub(super) fn a_wrong_type_ends_a_wait(world: &dyn World) {
    let state = process(world, "one");
    state.set("n", "text").unwrap();
    assert!(state.wait_until("n", |_: &u32| true, LONG).unwrap_err().is_wrong_type());
    assert!(state.wait_present::<u32>("n", LONG).unwrap_err().is_wrong_type());
    // What is something else is not equal, and may become so.
    assert!(state.wait_equal("n", &7, SHORT).unwrap_err().is_timeout());
}

/// Two hand a number to and fro, each waiting for the other one. If a wake-up were lost, both would wait for ever.
pub(super) fn no_wake_up_is_lost(world: &dyn World) {
    let end = race_end();
    thread::scope(|scope| {
        for own in 0..2_i64 {
            let state = process(world, "player");
            scope.spawn(move || {
                let is_mine = |n: &i64| *n < 0 || n % 2 == own;
                loop {
                    let n = if own == 0 { state.get_or("n", 0).unwrap() } else { -2 };
                    let n = if n == 0 && own == 0 { 0 } else { state.wait_until("n", is_mine, LONG).unwrap() };
                    if n < 0 {
                        return;
                    }
                    let next = if Instant::now() < end { n + 1 } else { -1 };
                    state.set("n", &next).unwrap();
                    if next < 0 {
                        return;
                    }
                }
            });
        }
    });
}

pub(super) fn a_dead_server_wakes_all(world: &dyn World) {
    let state = process(world, "one");
    let mut watch = state.watch_all().unwrap();
    let lock = state.semaphore("lock", 1).unwrap();
    let (permit, latch) = (lock.acquire(LONG).unwrap(), state.latch("l", 1).unwrap());
    let barrier = state.barrier("b", 2).unwrap();
    thread::scope(|scope| {
        let waiters = [
            scope.spawn(|| state.wait_present::<u32>("n", LONG).map(drop)),
            scope.spawn(|| lock.acquire(LONG).map(drop)),
            scope.spawn(|| latch.wait(LONG)),
            scope.spawn(|| barrier.wait(LONG).map(drop)),
            scope.spawn(|| state.queue::<u32>("q").pop(LONG).map(drop)),
            scope.spawn(|| state.phase("p").pass("s", LONG)),
            scope.spawn(|| watch.next().unwrap().map(drop)),
        ];
        state.phase("p").wait_for("s", 1, LONG).unwrap();
        world.end();
        for waiter in waiters {
            let error = waiter.join().unwrap().unwrap_err();
            assert!(error.is_state_gone(), "{error}");
        }
    });
    assert!(watch.next().is_none());
    drop(permit);
}
