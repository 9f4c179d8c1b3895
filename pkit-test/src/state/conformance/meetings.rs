//! Meeting points, of those who live.

use std::thread;
use std::time::Duration;

use super::{LONG, SHORT, World, process};
use crate::state::Party;

pub(super) fn a_barrier_lets_all_on_at_once(world: &dyn World) {
    let places = thread::scope(|scope| {
        let threads = [(); 3].map(|()| {
            let barrier = process(world, "party").barrier("b", 3).unwrap();
            scope.spawn(move || [barrier.wait(LONG).unwrap(), barrier.wait(LONG).unwrap()])
        });
        threads.map(|thread| thread.join().unwrap())
    });
    for round in 0..2 {
        let mut places = places.map(|places| places[round]);
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2]);
    }
    let barrier = process(world, "alone").barrier("for one", 1).unwrap();
    assert_eq!((barrier.wait(Duration::ZERO).unwrap(), barrier.waiting().unwrap()), (0, 0));
}

pub(super) fn a_barrier_that_is_too_late_is_broken_for_all(world: &dyn World) {
    let patient = process(world, "patient").barrier("b", 3).unwrap();
    let hasty = process(world, "hasty").barrier("b", 3).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| patient.wait(LONG));
        while hasty.waiting().unwrap() == 0 {
            thread::yield_now();
        }
        let error = hasty.wait(SHORT).unwrap_err();
        assert!(error.is_timeout());
        assert!(error.to_string().starts_with("barrier `b` was not full within 30 ms\n"), "{error}");
        let error = waiter.join().unwrap().unwrap_err();
        assert!(error.is_broken());
        assert!(error.to_string().starts_with("barrier `b` is broken: `hasty`"), "{error}");
    });
    assert!(hasty.wait(Duration::ZERO).unwrap_err().is_timeout());
}

pub(super) fn a_latch_opens_for_good(world: &dyn World) {
    let (one, other) = (process(world, "one").latch("l", 2).unwrap(), process(world, "other").latch("l", 2).unwrap());
    assert_eq!((one.count_down().unwrap(), other.count().unwrap()), (1, 1));
    let error = other.wait(SHORT).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().starts_with("latch `l` was not counted down within 30 ms\n"), "{error}");
    thread::scope(|scope| {
        let waiters = [one.clone(), other.clone()].map(|latch| scope.spawn(move || latch.wait(LONG)));
        assert_eq!((other.count_down().unwrap(), other.count_down().unwrap()), (0, 0));
        waiters.into_iter().for_each(|waiter| waiter.join().unwrap().unwrap());
    });
    one.wait(Duration::ZERO).unwrap();
    process(world, "one").latch("open", 0).unwrap().wait(Duration::ZERO).unwrap();
}

pub(super) fn permits_are_counted(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    let (one, other) = (one.semaphore("s", 2).unwrap(), other.semaphore("s", 2).unwrap());
    let first = one.acquire(LONG).unwrap();
    let second = one.try_acquire().unwrap().unwrap();
    assert!(first.after_death().is_none() && other.try_acquire().unwrap().is_none());
    let error = other.acquire(SHORT).unwrap_err();
    assert!(error.is_timeout());
    let text = error.to_string();
    assert!(text.starts_with("semaphore `s` had no free permit within 30 ms\n") && text.contains("`one`"), "{text}");
    thread::scope(|scope| {
        let waiter = scope.spawn(|| other.acquire(LONG).map(drop));
        drop(first);
        waiter.join().unwrap().unwrap();
    });
    assert_eq!(other.free().unwrap(), 1);
    drop(second);
    assert_eq!(other.free().unwrap(), 2);
}

pub(super) fn a_counter_is_waited_for(world: &dyn World) {
    let (one, other) = (process(world, "one").counter("c"), process(world, "other").counter("c"));
    assert_eq!(other.get().unwrap(), 0);
    thread::scope(|scope| {
        let waiter = scope.spawn(|| other.wait_at_least(3, LONG));
        assert_eq!([1, 2].map(|by| one.add(by).unwrap()), [1, 3]);
        assert_eq!(waiter.join().unwrap().unwrap(), 3);
    });
    assert_eq!(one.add(-3).unwrap(), 0);
    one.add(i64::MAX).unwrap();
    assert!(one.add(1).is_err());
    // What is seen of it elsewhere.
    let state = process(world, "one");
    assert!(state.is_empty().unwrap() && !state.contains("c").unwrap());
}

pub(super) fn a_queue_keeps_its_order(world: &dyn World) {
    let (one, other) = (process(world, "one").queue::<u32>("q"), process(world, "other").queue::<u32>("q"));
    assert!(other.try_pop().unwrap().is_none());
    let error = other.pop(SHORT).unwrap_err();
    assert!(error.is_timeout());
    assert!(error.to_string().starts_with("queue `q` had no item within 30 ms"), "{error}");
    assert_eq!([1, 2, 3].map(|item| one.push(&item).unwrap()), [1, 2, 3]);
    assert_eq!(([other.pop(LONG).unwrap(), other.pop(Duration::ZERO).unwrap()], other.len().unwrap()), ([1, 2], 1));
    assert_eq!(other.try_pop().unwrap(), Some(3));
    thread::scope(|scope| {
        let waiter = scope.spawn(|| other.pop(LONG));
        one.push(&4).unwrap();
        assert_eq!(waiter.join().unwrap().unwrap(), 4);
    });
    assert!(one.is_empty().unwrap());
}

pub(super) fn a_closed_queue_is_emptied_first(world: &dyn World) {
    let (one, other) = (process(world, "one").queue::<u32>("q"), process(world, "other").queue::<u32>("q"));
    one.push(&1).unwrap();
    one.close().unwrap();
    one.close().unwrap();
    let error = other.push(&2).unwrap_err();
    assert!(error.is_closed());
    assert!(error.to_string().starts_with("queue `q` is closed, by `one`"), "{error}");
    assert_eq!(other.pop(LONG).unwrap(), 1);
    assert!(other.pop(LONG).unwrap_err().is_closed());
    assert!(other.try_pop().unwrap_err().is_closed());
    assert!(other.lease(LONG).unwrap_err().is_closed());
}

pub(super) fn a_leased_item_comes_back(world: &dyn World) {
    let (one, other) = (process(world, "one").queue::<u32>("q"), process(world, "other").queue::<u32>("q"));
    assert_eq!([1, 2].map(|item| one.push(&item).unwrap()), [1, 2]);
    let first = one.lease(LONG).unwrap();
    assert_eq!((*first, one.len().unwrap()), (1, 1));
    drop(first);
    let first = other.lease(LONG).unwrap();
    assert!(*first == 1 && first.after_death().is_none());
    let second = other.lease(LONG).unwrap();
    assert!(one.lease(Duration::ZERO).unwrap_err().is_timeout());
    first.done().unwrap();
    drop(second);
    assert_eq!((one.pop(LONG).unwrap(), one.try_pop().unwrap()), (2, None));
}

pub(super) fn a_phase_walks_step_by_step(world: &dyn World) {
    let test = process(world, "test").phase("p");
    thread::scope(|scope| {
        let walker = |name| {
            let state = process(world, name);
            scope.spawn(move || {
                for step in ["first", "second", "third"] {
                    state.phase("p").pass(step, LONG).unwrap();
                }
            })
        };
        let early = walker("early");
        test.wait_for("first", 1, LONG).unwrap();
        let late = walker("late");
        let standing = test.wait_for("first", 2, LONG).unwrap();
        assert_eq!(standing.iter().map(Party::name).collect::<Vec<_>>(), ["early", "late"]);
        assert!(test.let_one_on("first").unwrap());
        assert_eq!(test.wait_for("second", 1, LONG).unwrap()[0].name(), "early");
        assert_eq!(test.standing("first").unwrap()[0].name(), "late");
        let error = test.wait_for("second", 2, SHORT).unwrap_err();
        let text = error.to_string();
        assert!(
            error.is_timeout()
                && text.starts_with("phase `p` had less than 2 standing at step `second` within 30 ms\n"),
            "{text}"
        );
        assert!(text.contains("`late`") && text.contains("`early`"), "{text}");
        assert_eq!((test.let_on("first").unwrap(), test.let_on("first").unwrap()), (1, 0));
        test.wait_for("second", 2, LONG).unwrap();
        assert_eq!(test.open("third").unwrap(), 0);
        assert_eq!(test.let_on("second").unwrap(), 2);
        [early, late].into_iter().for_each(|walker| walker.join().unwrap());
    });
    assert!(!test.let_one_on("third").unwrap() && test.wait_for("third", 0, Duration::ZERO).unwrap().is_empty());
    assert!(test.pass("fourth", Duration::ZERO).unwrap_err().is_timeout());
}

pub(super) fn numbers_that_mean_nothing_are_refused(world: &dyn World) {
    let state = process(world, "one");
    let error = state.barrier("b", 0).unwrap_err();
    assert!(error.is_spec());
    assert_eq!(error.to_string(), "barrier `b` would be for nobody: it needs one party at least");
    let error = state.semaphore("s", 0).unwrap_err();
    assert!(error.is_spec());
    assert_eq!(error.to_string(), "semaphore `s` would have no permits, and nobody could ever acquire one");
}

pub(super) fn what_was_made_otherwise_is_refused(world: &dyn World) {
    let (one, other) = (process(world, "one"), process(world, "other"));
    let _made = (one.barrier("x", 2).unwrap(), one.latch("x", 2).unwrap(), one.semaphore("x", 2).unwrap());
    let errors = [
        ("barrier", other.barrier("x", 3).unwrap_err()),
        ("latch", other.latch("x", 3).unwrap_err()),
        ("semaphore", other.semaphore("x", 3).unwrap_err()),
    ];
    for (kind, error) in errors {
        assert!(error.is_state());
        let expected = format!("{kind} `x` was made for 2, and is opened for 3\n  made by: `one`");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

pub(super) fn names_are_of_their_kind_and_namespace(world: &dyn World) {
    let state = process(world, "one");
    for state in [&state, &state.namespace("inner"), &state.namespace("inner").namespace("x")] {
        assert_eq!(state.latch("x", 1).unwrap().count_down().unwrap(), 0);
        assert_eq!(state.barrier("x", 1).unwrap().wait(LONG).unwrap(), 0);
        assert!(state.semaphore("x", 1).unwrap().try_acquire().unwrap().is_some());
        assert_eq!((state.counter("x").add(1).unwrap(), state.queue("x").push(&1).unwrap()), (1, 1));
        assert_eq!(state.phase("x").open("x").unwrap(), 0);
        assert!(!state.contains("x").unwrap());
    }
}

pub(super) fn an_item_of_another_type_is_shown(world: &dyn World) {
    let state = process(world, "one");
    state.queue("q").push(&"text".to_owned()).unwrap();
    let numbers = state.queue::<u32>("q");
    let error = numbers.lease(LONG).unwrap_err();
    assert!(error.is_wrong_type());
    let expected = "an item of queue `q` is a `alloc::string::String`, and was read as `u32`\n  value:  \"text\"";
    assert!(error.to_string().starts_with(expected), "{error}");
    assert_eq!(numbers.len().unwrap(), 1, "it is back");
    assert!(numbers.pop(LONG).unwrap_err().is_wrong_type());
    assert!(numbers.is_empty().unwrap(), "it is out");
}
