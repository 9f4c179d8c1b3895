//! Whether what several processes are told fits an order in which each thing happens at one moment: linearizability.
//!
//! Eight clients do what chance says, on few keys, and some are killed at any moment; those that take their places go on. A history
//! is what all of them have written down. `PKIT_HISTORIES` is how many there are, `PKIT_HISTORIES_SEED` the seed of the first; the
//! next one has the next number. A seed gives the same plans again, and not the same race.

mod call;
mod checker;
mod clients;
mod examples;
mod plan;
mod toy;

use std::env;

use pkit_test::{Failure, State, Worker, workers};
use pkit_test_tests::child::wait_us;
use pkit_test_tests::seed::Seed;

use self::call::Call;
use self::checker::check;
use self::clients::{CALLS, GATE, calls_in, client};
use self::plan::{Mix, Plan};
use crate::child::HANG;
use crate::race::random;

const CLIENTS: usize = 8;
/// How many there are of themselves: a few seconds.
const HISTORIES: u64 = 20;
/// From the first call to the last of a history there are some milliseconds.
const A_MOMENT_US: u64 = 12_000;

#[test]
fn every_history_is_linearizable() {
    let first = setting("PKIT_HISTORIES_SEED").unwrap_or(random(1 << 40) as u64);
    let state = State::new().unwrap();
    let (mut calls, mut pending) = (0, 0);
    for seed in (first..).take(setting("PKIT_HISTORIES").unwrap_or(HISTORIES) as usize) {
        let history = recorded(&state.namespace(&format!("history {seed}")), seed);
        calls += history.len();
        pending += history.iter().filter(|call| call.returned.is_none()).count();
        if let Err(found) = check(&history) {
            panic!("a history is not linearizable: PKIT_HISTORIES_SEED={seed}\n{}", found.report());
        }
    }
    eprintln!("{calls} calls, {pending} of which never returned");
}

fn setting(name: &str) -> Option<u64> {
    Some(env::var(name).ok()?.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

/// Has some clients do something, and some of them killed.
fn recorded(state: &State, seed: u64) -> Vec<Call> {
    let mut chance = Seed::new(seed);
    let mix = [
        Mix { keys: 2, has_pairs: false, has_snapshots: false },
        Mix { keys: 3, has_pairs: true, has_snapshots: false },
        Mix { keys: 4, has_pairs: true, has_snapshots: true },
    ][chance.below(3) as usize];
    let mut plan = || Plan { seed: chance.number(), ops: 10 + chance.below(50) as usize, mix };
    let plans: Vec<Plan> = (0..CLIENTS).map(|_| plan()).collect();
    let all = workers(CLIENTS, client, |i| (state.clone(), plans[i])).start().unwrap();
    state.latch(GATE, 1).and_then(|gate| gate.count_down()).unwrap();
    for _ in 0..chance.below(4) {
        wait_us(chance.below(A_MOMENT_US));
        let next = Plan { seed: chance.number(), ops: 20, mix };
        replace(&all[chance.below(CLIENTS as u64) as usize], state, next);
    }
    all.iter().for_each(joined);
    let written = all.iter().enumerate().flat_map(|(at, worker)| calls_in(&worker.dir().join(CALLS), at));
    written.collect()
}

/// Kills one, if it is not at its end, and lets another one go on where it was.
fn replace(worker: &Worker<()>, state: &State, plan: Plan) {
    worker.kill().unwrap();
    worker.start_with((state.clone(), plan)).unwrap();
}

/// One may have killed itself. That it was told something wrong is a panic over there.
fn joined(worker: &Worker<()>) {
    match worker.join_timeout(HANG) {
        Ok(Some(())) => {}
        Err(failure) if Failure::is_signal(&failure) => {}
        other => panic!("{other:?}"),
    }
}
