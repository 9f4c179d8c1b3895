//! Tests that have a state, and fail.

use pkit_test::{State, Worker, function, orchestra, state, with_processes};

use super::chosen::is_chosen;
use crate::child::HANG;

fn fill(state: &State) {
    state.set("greeting", &"hello").unwrap();
    state.increment("n", 41).unwrap();
    state.update("n", |n: &mut u32| *n += 1).unwrap();
    state.remove("greeting").unwrap();
}

#[with_processes(shared = state())]
#[test]
fn fails_with_the_attribute(shared: State) {
    fill(&shared);
    assert!(!is_chosen(), "what the body says");
}

#[test]
fn fails_with_a_state_by_itself() {
    let state = State::new().unwrap();
    fill(&state);
    assert!(!is_chosen(), "what the body says");
}

#[with_processes(shared = state())]
#[test]
fn passes(shared: State) {
    fill(&shared);
}

#[with_processes(shared = state())]
#[test]
fn fails_in_a_function(shared: State) {
    if is_chosen() {
        let worker: Worker<()> = function(fails_there, shared.clone()).start().unwrap();
        worker.join().unwrap();
    }
}

fn fails_there(state: State) {
    fill(&state);
    panic!("what the function says");
}

#[with_processes(shared = state())]
#[test]
fn changes_a_lot(shared: State) {
    for n in 0..1000 {
        shared.set("n", &(n, "x".repeat(1000))).unwrap();
    }
    assert!(!is_chosen(), "what the body says");
}

#[test]
fn hangs() {
    if is_chosen() {
        let stack = orchestra().with("shared", state()).start().unwrap();
        let shared: &State = stack.get("shared");
        fill(shared);
        stack["shared"].wait_for_output("remove greeting", HANG).unwrap();
        println!("it hangs");
        let _ = shared.wait_present::<()>("never", 10 * HANG);
    }
}

#[test]
fn fails_as_its_server_was_killed() {
    if is_chosen() {
        let stack = orchestra().with("shared", state()).start().unwrap();
        let shared: &State = stack.get("shared");
        fill(shared);
        stack["shared"].wait_for_output("remove greeting", HANG).unwrap();
        stack["shared"].kill().unwrap();
        shared.set("n", &0).unwrap();
    }
}
