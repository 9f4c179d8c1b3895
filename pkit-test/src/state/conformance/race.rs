//! Everything at once, for a second; or for as many as `PKIT_RACE_SECONDS` says. Eight threads of four processes.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::{LONG, World, process, race_end};
use crate::state::State;

const PROCESSES: usize = 4;
const THREADS: usize = 2 * PROCESSES;

/// What all of them do until the time is over, each with its number; how often they did it.
fn race(world: &dyn World, act: impl Fn(&State, usize) + Sync) -> i64 {
    let end = race_end();
    let states: Vec<_> = (0..PROCESSES).map(|n| process(world, &format!("racer {n}"))).collect();
    let act = &act;
    thread::scope(|scope| {
        let run = |n: usize| {
            let state = states[n % PROCESSES].clone();
            move || {
                let mut times = 0;
                while Instant::now() < end {
                    act(&state, n);
                    times += 1;
                }
                times
            }
        };
        let threads: Vec<_> = (0..THREADS).map(|n| scope.spawn(run(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    })
}

/// By whatever means it is made.
pub(super) fn no_change_is_lost(world: &dyn World) {
    let state = process(world, "judge");
    state.set("n", &0_i64).unwrap();
    let times = race(world, |state, n| match n % 4 {
        0 => state.update("n", |n: &mut i64| *n += 1).unwrap(),
        1 => drop(state.increment("n", 1).unwrap()),
        2 => state
            .transaction(|tx| {
                let n: i64 = tx.require("n")?;
                Ok(tx.set("n", &(n + 1))?)
            })
            .unwrap(),
        _ => loop {
            let n: i64 = state.require("n").unwrap();
            if state.compare_and_set("n", Some(&n), Some(&(n + 1))).unwrap() {
                break;
            }
        },
    });
    assert_eq!(state.require::<i64>("n").unwrap(), times);
}

/// Two are on call; each may go if the other one stays. Each reads what the other one writes.
pub(super) fn writes_do_not_skew(world: &dyn World) {
    let state = process(world, "judge");
    state.set("a", &true).unwrap();
    state.set("b", &true).unwrap();
    race(world, |state, n| {
        let (own, other) = if n % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let both = state.transaction(|tx| {
            let (is_here, other_is_here): (bool, bool) = (tx.require(own)?, tx.require(other)?);
            tx.set(own, &!(is_here && other_is_here))?;
            Ok((is_here, other_is_here))
        });
        assert_ne!(both.unwrap(), (false, false), "nobody was on call");
    });
}

/// Whoever reads sees one moment: in a transaction, and in a snapshot.
pub(super) fn sums_never_change(world: &dyn World) {
    const ACCOUNTS: usize = 4;
    let state = process(world, "judge");
    let name = |n: usize| format!("account {}", n % ACCOUNTS);
    (0..ACCOUNTS).for_each(|n| state.set(&name(n), &100_i64).unwrap());
    let turn = AtomicI64::new(0);
    race(world, |state, n| match n % 4 {
        0 => {
            let sum: i64 = state.snapshot().unwrap().iter::<i64>().unwrap().map(|(_, held)| held).sum();
            assert_eq!(sum, 100 * ACCOUNTS as i64);
        }
        1 => state
            .transaction(|tx| {
                let sum: i64 = (0..ACCOUNTS).map(|n| tx.require::<i64>(&name(n))).sum::<Result<_, _>>()?;
                assert_eq!(sum, 100 * ACCOUNTS as i64);
                Ok(())
            })
            .unwrap(),
        _ => {
            let (from, amount) = (turn.fetch_add(1, Ordering::Relaxed).unsigned_abs() as usize, n as i64);
            state
                .transaction(|tx| {
                    tx.increment(&name(from), -amount)?;
                    tx.increment(&name(from + 1), amount)?;
                    Ok(())
                })
                .unwrap();
        }
    });
}

/// The key is chosen by how many there are.
pub(super) fn no_phantom_is_overwritten(world: &dyn World) {
    const MOST: i64 = 300;
    let written = AtomicI64::new(0);
    race(world, |state, _| {
        let is_written = state.transaction(|tx| {
            let len = tx.len()?;
            if len as i64 >= MOST {
                return Ok(false);
            }
            assert!(!tx.contains(&len.to_string())?, "somebody has written it, and it was not counted");
            tx.set(&len.to_string(), &())?;
            Ok(true)
        });
        written.fetch_add(is_written.unwrap().into(), Ordering::Relaxed);
    });
    let state = process(world, "judge");
    assert_eq!(state.len().unwrap() as i64, written.into_inner());
}

pub(super) fn a_slow_update_is_done_at_last(world: &dyn World) {
    let slowly = |n: &mut i64| {
        busy();
        *n += 1;
    };
    slow_among_quick(world, |state| state.update("n", slowly).unwrap());
}

pub(super) fn a_slow_transaction_is_done_at_last(world: &dyn World) {
    slow_among_quick(world, |state| {
        state
            .transaction(|tx| {
                let n: i64 = tx.require("n")?;
                busy();
                Ok(tx.set("n", &(n + 1))?)
            })
            .unwrap();
    });
}

/// One of eight takes much longer than the others, and is never as quick as they are; two of those are in its own process.
fn slow_among_quick(world: &dyn World, slow: impl Fn(&State)) {
    const TIMES: i64 = 5;
    let state = process(world, "slow");
    state.set("n", &0_i64).unwrap();
    let is_done = AtomicBool::new(false);
    let quick = |state: State| {
        let is_done = &is_done;
        move || {
            let mut times = 0;
            while !is_done.load(Ordering::Relaxed) {
                state.update("n", |n: &mut i64| *n += 1).unwrap();
                times += 1;
            }
            times
        }
    };
    let times: i64 = thread::scope(|scope| {
        let of = |n: usize| if n < 2 { state.clone() } else { process(world, "quick") };
        let threads: Vec<_> = (0..THREADS - 1).map(|n| scope.spawn(quick(of(n)))).collect();
        let began = Instant::now();
        (0..TIMES).for_each(|_| slow(&state));
        is_done.store(true, Ordering::Relaxed);
        assert!(began.elapsed() < LONG, "it took {:?}", began.elapsed());
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(state.require::<i64>("n").unwrap(), TIMES + times);
}

/// Works, for a time in which others can do much.
fn busy() {
    let end = Instant::now() + Duration::from_millis(3);
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}

pub(super) fn one_permit_is_a_lock(world: &dyn World) {
    let state = process(world, "judge");
    state.set("n", &0_i64).unwrap();
    let inside = AtomicI64::new(0);
    let times = race(world, |state, n| {
        let lock = state.semaphore("lock", 1).unwrap();
        let permit = if n < 6 { Some(lock.acquire(LONG).unwrap()) } else { lock.try_acquire().unwrap() };
        let is_held = i64::from(permit.is_some());
        if permit.is_some() {
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0, "two hold it");
            let n: i64 = state.require("n").unwrap();
            state.set("n", &(n + 1)).unwrap();
            inside.fetch_sub(1, Ordering::SeqCst);
        }
        drop(permit);
        state.increment("held", is_held).unwrap();
    });
    let (n, held): (i64, i64) = (state.require("n").unwrap(), state.require("held").unwrap());
    assert_eq!(n, held);
    assert!(held <= times && state.semaphore("lock", 1).unwrap().free().unwrap() == 1);
}

pub(super) fn rounds_of_a_barrier_do_not_mix(world: &dyn World) {
    const ROUNDS: i64 = 200;
    let states: Vec<_> = (0..PROCESSES).map(|n| process(world, &format!("party {n}"))).collect();
    thread::scope(|scope| {
        for n in 0..THREADS {
            let state = states[n % PROCESSES].clone();
            scope.spawn(move || {
                let barrier = state.barrier("round", THREADS).unwrap();
                for round in 1..=ROUNDS {
                    state.counter("came").add(1).unwrap();
                    let place = barrier.wait(LONG).unwrap();
                    state.counter(&format!("place {place}")).add(1).unwrap();
                    assert!(state.counter("came").get().unwrap() >= round * THREADS as i64);
                    barrier.wait(LONG).unwrap();
                    let of_this_place = state.counter(&format!("place {place}")).get().unwrap();
                    assert_eq!(of_this_place, round, "one came at this place in each round");
                }
            });
        }
    });
    assert_eq!(states[0].counter("place 0").get().unwrap(), ROUNDS, "exactly one came first each time");
}

pub(super) fn each_item_is_taken_once(world: &dyn World) {
    const ITEMS: u32 = 2000;
    let state = process(world, "producer");
    let taken: Vec<u32> = thread::scope(|scope| {
        let take = |n: usize| {
            let queue = process(world, "consumer").queue::<u32>("items");
            move || {
                let mut taken = Vec::new();
                loop {
                    // Some are let go of, and taken by the next one.
                    let item = match n % 2 {
                        0 => queue.pop(LONG),
                        _ => queue.lease(LONG).and_then(|item| {
                            let value = *item;
                            item.done().map(|()| value)
                        }),
                    };
                    match item {
                        Ok(item) => taken.push(item),
                        Err(error) if error.is_closed() => return taken,
                        Err(error) => panic!("{error}"),
                    }
                    if n % 2 == 1 && taken.len() % 10 == 0 {
                        drop(queue.lease(Duration::ZERO));
                    }
                }
            }
        };
        let threads: Vec<_> = (0..THREADS - 1).map(|n| scope.spawn(take(n))).collect();
        let queue = state.queue("items");
        for item in 0..ITEMS {
            let in_it = queue.push(&item).unwrap();
            assert!(in_it <= u64::from(item) + 1);
        }
        queue.close().unwrap();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(taken.len(), ITEMS as usize);
    assert_eq!(BTreeSet::from_iter(taken).len(), ITEMS as usize);
}
