//! A race that happens every time: two processes vote at the same moment, and one vote is lost.
//!
//! As it is it needs luck: both have to read before one of them writes. Here the processes meet where that is so. The place to meet
//! at is in a state that they share with the test; the code that is tested knows nothing of it, it only calls what it is given.

use std::net::SocketAddr;
use std::time::Duration;

use pkit_test::{Process, Result, Spec, State, Worker, bin, current, function, state, tcp, with_processes};
use pkit_test_examples::store::{PATIENCE, Store};
use pkit_test_examples::votes::{count, vote, vote_in_one_step};

const SECONDS: Duration = Duration::from_secs(10);

fn kv() -> Spec {
    tcp(bin!("kv").args("--listen {addr} --data {dir}"), 0)
}

fn connect(addr: SocketAddr) -> Store {
    Store::connect(addr, PATIENCE).expect("it was ready, so it accepts")
}

fn votes(kv: &Process) -> u64 {
    count(&mut connect(kv.addr()), "ann").unwrap()
}

/// A voter, in a process of its own. When it is asked whether it may, it has read and has not written; there it waits for the other.
fn votes_at_once(state: State, kv: SocketAddr) {
    let both_have_read = state.barrier("both have read", 2).unwrap();
    vote(&mut connect(kv), "ann", || both_have_read.wait(SECONDS).is_ok()).unwrap();
}

#[with_processes(kv = kv(), state = state())]
#[test]
fn a_vote_is_lost_if_both_have_read_and_neither_has_written(kv: &Process, state: &State) -> Result<()> {
    let voters = [(); 2].map(|()| function(votes_at_once, (state.clone(), kv.addr())).start());
    for voter in voters {
        voter?.join().unwrap();
    }
    // FIXME: two have voted.
    assert_eq!(votes(kv), 1);
    Ok(())
}

/// The same moment, and the function that is right. It finds state and server by itself, as any program could.
fn votes_in_one_step() {
    let state = State::from_env().unwrap();
    let both_may = state.barrier("both may", 2).unwrap();
    let kv = current().peer("kv").addr();
    vote_in_one_step(&mut connect(kv), "ann", || both_may.wait(SECONDS).is_ok()).unwrap();
}

fn voter() -> Spec<Worker<()>> {
    function(votes_in_one_step, ()).env(State::ENV, "{state.path}").after("kv")
}

#[with_processes(kv = kv(), state = state(), one = voter(), other = voter())]
#[test]
fn no_vote_is_lost_in_one_step(kv: &Process, one: Worker<()>, other: Worker<()>) {
    one.join().unwrap();
    other.join().unwrap();
    assert_eq!(votes(kv), 2);
}

/// A voter that stops at a step of a phase, until the test lets it go on.
fn votes_when_told(state: State, kv: SocketAddr, name: String) {
    let has_read = state.phase(&name);
    vote(&mut connect(kv), "ann", || has_read.pass("has read", SECONDS).is_ok()).unwrap();
}

// Three processes in one order out of all that there are: the test is the script.
#[with_processes(kv = kv(), state = state())]
#[test]
fn a_voter_who_hesitates_takes_back_what_happened_meanwhile(kv: &Process, state: &State) -> Result<()> {
    let comes = |name: &str| -> Result<Worker<()>> {
        let voter = function(votes_when_told, (state.clone(), kv.addr(), name.to_owned())).start()?;
        state.phase(name).wait_for("has read", 1, SECONDS)?;
        Ok(voter)
    };
    let goes_on = |name: &str, voter: Worker<()>| -> Result<u64> {
        state.phase(name).let_on("has read")?;
        voter.join().unwrap();
        Ok(votes(kv))
    };

    let slow = comes("slow")?;
    let quick = comes("quick")?;
    assert_eq!(goes_on("quick", quick)?, 1);
    let late = comes("late")?;
    assert_eq!(goes_on("late", late)?, 2);

    // FIXME: three have voted.
    assert_eq!(goes_on("slow", slow)?, 1, "it writes what it has read before all others, and one more");
    Ok(())
}
