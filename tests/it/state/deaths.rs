//! Processes that are killed while they hold something, wait for it, or are in the middle: the others go on at once and see it,
//! and nothing is held for ever.

use std::cell::RefCell;
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use pkit_test::ready::Said;
use pkit_test::{Leased, Queue, Spec, State, Worker, current, function, workers};
use pkit_test_tests::child::{pause, wait_us};

use crate::child::{HANG, wait_until};
use crate::functions::rounds;
use crate::race::random;

const ROUNDS: usize = 5;

/// As long as a turn may last at most. Who goes on earlier has not waited for its end.
const TURN: Duration = Duration::from_secs(1);

/// After so many tries that were overtaken a transaction gets its turn.
const TRIES: usize = 4;

/// One that says when it is where it is to be killed.
fn there(spec: Spec<Worker<()>>) -> Worker<()> {
    spec.ready(Said::ready()).start().unwrap()
}

/// In a process: here it is to be killed.
fn here() -> ! {
    current().ready();
    pause()
}

/// Its own one each time: what one round leaves is nothing to the next.
fn each_round(test: impl Fn(&State)) {
    let state = State::new().unwrap();
    rounds(ROUNDS).for_each(|round| test(&state.namespace(&format!("round {round}"))));
}

/// Kills it while somebody waits, and gives what that one got.
fn killed_while<R: Send>(worker: &Worker<()>, waits: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| {
        let (begins, begun) = channel();
        let waiting = scope.spawn(move || {
            begins.send(()).unwrap();
            waits()
        });
        begun.recv().unwrap();
        // Before it waits, or while it does.
        wait_us(random(2_000) as u64);
        worker.kill().unwrap();
        waiting.join().unwrap()
    })
}

fn holds_a_permit(state: State) {
    let _permit = state.semaphore("s", 1).unwrap().acquire(HANG).unwrap();
    here()
}

#[test]
fn a_permit_is_free_again_and_says_whose_it_was() {
    each_round(|state| {
        let worker = there(function(holds_a_permit, state.clone()));
        let pid = worker.pid().unwrap();
        let semaphore = state.semaphore("s", 1).unwrap();
        assert!(semaphore.try_acquire().unwrap().is_none());
        let permit = killed_while(&worker, || semaphore.acquire(HANG).unwrap());
        let before = permit.after_death().unwrap();
        assert_eq!((before.name(), before.pid()), ("holds_a_permit", Some(pid)));
        drop(permit);
        // Only the first one after it is told.
        assert!(semaphore.acquire(HANG).unwrap().after_death().is_none());
    });
}

fn leases_an_item(state: State) {
    let _item = state.queue::<u32>("q").lease(HANG).unwrap();
    here()
}

#[test]
fn a_leased_item_goes_to_the_next_and_is_the_first_again() {
    each_round(|state| {
        let queue = state.queue::<u32>("q");
        queue.push(&1).unwrap();
        let worker = there(function(leases_an_item, state.clone()));
        assert_eq!(queue.len().unwrap(), 0);
        let item = killed_while(&worker, || queue.lease(HANG).unwrap());
        assert_eq!((*item, item.after_death().unwrap().name()), (1, "leases_an_item"));
        item.done().unwrap();

        queue.push(&2).unwrap();
        queue.push(&3).unwrap();
        there(function(leases_an_item, state.clone())).kill().unwrap();
        wait_until(|| queue.len().unwrap() == 2);
        assert_eq!([queue.pop(HANG).unwrap(), queue.pop(HANG).unwrap()], [2, 3]);
    });
}

/// In the order of asking, and a dead one is not asked any more.
#[test]
fn an_item_is_never_given_to_the_dead() {
    fn waits_for_an_item(state: State) {
        state.increment("asking", 1).unwrap();
        state.queue::<u32>("q").pop(HANG).unwrap();
    }
    each_round(|state| {
        let waiting = function(waits_for_an_item, state.clone()).start().unwrap();
        state.wait_equal("asking", &1, HANG).unwrap();
        waiting.kill().unwrap();
        let queue = state.queue::<u32>("q");
        // The server may still have to see that it is dead. What it gives then is lost with whoever took it, so it is asked.
        wait_until(|| {
            queue.push(&7).unwrap();
            queue.try_pop().unwrap() == Some(7)
        });
    });
}

fn stands(state: State) {
    current().ready();
    state.phase("p").pass("read", HANG).unwrap();
}

#[test]
fn the_dead_do_not_stand_in_a_phase() {
    each_round(|state| {
        let phase = state.phase("p");
        let (one, _other) = (there(function(stands, state.clone())), there(function(stands, state.clone())));
        assert_eq!(phase.wait_for("read", 2, HANG).unwrap().len(), 2);
        one.kill().unwrap();
        wait_until(|| phase.standing("read").unwrap().len() == 1);
        let third = there(function(stands, state.clone()));
        let standing = phase.wait_for("read", 2, HANG).unwrap();
        assert!(standing.iter().all(|who| who.pid() != one.pid() && who.pid().is_some()));
        assert_eq!(standing[1].pid(), third.pid());
        assert_eq!(phase.let_on("read").unwrap(), 2);
        third.join().unwrap();
    });
}

fn comes_to_the_barrier(state: State) {
    let barrier = state.barrier("b", 3).unwrap();
    current().ready();
    barrier.wait(HANG).unwrap();
}

#[test]
fn a_round_of_a_barrier_is_broken_for_the_others_and_the_next_one_is_not() {
    each_round(|state| {
        let barrier = state.barrier("b", 3).unwrap();
        let worker = there(function(comes_to_the_barrier, state.clone()));
        wait_until(|| barrier.waiting().unwrap() == 1);
        let error = killed_while(&worker, || barrier.wait(HANG)).unwrap_err();
        assert!(error.is_broken(), "{error}");
        assert!(error.to_string().contains("comes_to_the_barrier"), "{error}");
        let others = [
            there(function(comes_to_the_barrier, state.clone())),
            there(function(comes_to_the_barrier, state.clone())),
        ];
        barrier.wait(HANG).unwrap();
        others.iter().for_each(|worker| worker.join().unwrap());
    });
}

fn is_in_a_transaction(state: State) {
    let done = state.transaction(|tx| {
        let n: i64 = tx.require("n")?;
        tx.set("n", &(n + 1))?;
        tx.remove("m")?;
        here();
        #[expect(unreachable_code, reason = "it says what the closure is")]
        Ok(())
    });
    done.unwrap();
}

#[test]
fn what_dies_in_the_middle_of_a_transaction_leaves_no_trace() {
    each_round(|state| {
        state.set("n", &1).unwrap();
        state.set("m", &1).unwrap();
        let before = state.snapshot().unwrap();
        let worker = there(function(is_in_a_transaction, state.clone()));
        // It keeps nobody from reading, nor from changing what it has not.
        state.set("other", &1).unwrap();
        assert!(state.remove("other").unwrap());
        worker.kill().unwrap();
        assert_eq!(format!("{:?}", state.snapshot().unwrap()), format!("{before:?}"));
        assert_eq!(state.increment("n", 1).unwrap(), 2);
    });
}

/// Overtakes itself until it is given its turn.
fn has_its_turn(state: State) {
    let mut tries = 0;
    let done = state.transaction(|tx| {
        let n: i64 = tx.require("n")?;
        if tries == TRIES {
            here();
        }
        tries += 1;
        state.increment("n", 1)?;
        tx.set("n", &n)?;
        Ok(())
    });
    done.unwrap();
}

#[test]
fn a_turn_ends_with_who_has_it() {
    let waited = RefCell::new(Vec::new());
    each_round(|state| {
        state.set("n", &0_i64).unwrap();
        let worker = there(function(has_its_turn, state.clone()));
        let began = Instant::now();
        let changed = killed_while(&worker, || state.increment("n", 1).unwrap());
        waited.borrow_mut().push(began.elapsed());
        // What has overtaken, and this one.
        assert_eq!(changed, TRIES as i64 + 1);
    });
    // One may be slow for any reason, but not all.
    assert!(waited.borrow().iter().min() < Some(&TURN), "{waited:?}");
}

const ITEMS: usize = 60;
const WORKERS: usize = 4;

/// Takes items until there are none any more, each under a permit, and writes down what is done.
fn works(state: State) {
    let (queue, semaphore) = (state.queue::<usize>("q"), state.semaphore("s", 2).unwrap());
    let done = state.namespace("done");
    while let Some(item) = next(&queue) {
        let _permit = semaphore.acquire(HANG).unwrap();
        done.increment(&item.to_string(), 1).unwrap();
        item.done().unwrap();
    }
}

/// `None` when it is closed and empty.
fn next(queue: &Queue<usize>) -> Option<Leased<usize>> {
    match queue.lease(HANG) {
        Err(error) if error.is_closed() => None,
        item => Some(item.unwrap()),
    }
}

#[test]
fn whoever_is_killed_at_whatever_moment_all_work_is_done() {
    each_round(|state| {
        let queue = state.queue::<usize>("q");
        (0..ITEMS).for_each(|item| _ = queue.push(&item).unwrap());
        queue.close().unwrap();
        let all = workers(WORKERS, works, |_| state.clone()).start().unwrap();
        for _ in 0..2 * WORKERS {
            wait_us(random(3_000) as u64);
            let one = &all[random(WORKERS)];
            one.kill().unwrap();
            one.start().unwrap();
        }
        all.iter().for_each(|worker| worker.join().unwrap());
        let done = state.namespace("done").iter::<i64>().unwrap();
        assert_eq!(done.count(), ITEMS);
        // Whatever was held is free.
        let semaphore = state.semaphore("s", 2).unwrap();
        let permits = [semaphore.acquire(HANG).unwrap(), semaphore.acquire(HANG).unwrap()];
        assert!(semaphore.try_acquire().unwrap().is_none());
        drop(permits);
    });
}
