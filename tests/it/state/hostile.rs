//! Moments at which nothing good is to be expected: processes that are stopped in the middle, forks while another thread has its turn,
//! servers that are full, and handles that were refused. Nothing is lost, kept for ever, or called by another name.

use std::fs;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Instant;

use nix::sys::wait::{WaitStatus, waitpid};
use pkit_test::{Stack, State, function, orchestra, state};
use pkit_test_tests::child::forked;

use crate::child::HANG;
use crate::nested::victim;

fn stack() -> (Stack, State) {
    let stack = orchestra().with("state", state()).start().unwrap();
    let state = stack.get::<State>("state").clone();
    (stack, state)
}

#[test]
fn a_barrier_that_was_refused_keeps_no_server_up() {
    let state = State::new().unwrap();
    let path = state.path().to_owned();
    let barrier = state.barrier("b", 2).unwrap();
    assert!(state.barrier("b", 3).is_err());
    // And it takes no part away from the one that is there.
    assert_eq!(state.barrier("b", 2).unwrap().waiting().unwrap(), 0);
    drop((barrier, state));
    assert!(!path.exists());
}

#[test]
fn who_was_stopped_until_its_time_was_over_has_the_answer_that_came() {
    victim("state::stops_one_who_waits").env("PKIT_TIMEOUT_SCALE", "0.2").passes();
}

#[test]
fn what_is_given_to_one_who_does_not_hear_it_is_given_to_the_next() {
    victim("state::is_stopped_while_it_is_asked").env("PKIT_TIMEOUT_SCALE", "0.2").passes();
}

#[test]
fn a_server_that_is_full_is_not_gone() {
    victim("state::is_full").passes();
}

/// How often the fork of a turn changes something: each time it would wait as long as a turn may last.
const CHANGES: usize = 80;

/// One thread has its turn, and another one forks.
fn forks_in_a_turn(state: State) {
    state.set("n", &0_i64).unwrap();
    let (comes, came) = channel();
    let (lets_go, go) = channel::<()>();
    let child = thread::scope(|scope| {
        let state = &state;
        scope.spawn(move || {
            let mut tries = 0;
            let has_turn = |n: &mut i64| {
                tries += 1;
                if tries <= 4 {
                    state.increment("n", 1).unwrap();
                } else {
                    comes.send(()).unwrap();
                    go.recv().unwrap();
                }
                *n += 1;
            };
            state.update("n", has_turn).unwrap();
        });
        came.recv().unwrap();
        let Some(child) = forked() else {
            for _ in 0..CHANGES {
                state.increment("of child", 1).unwrap();
            }
            std::process::exit(0)
        };
        lets_go.send(()).unwrap();
        child
    });
    assert!(matches!(waitpid(child, None), Ok(WaitStatus::Exited(_, 0))));
}

#[test]
fn a_fork_is_not_held_back_by_a_thread_that_it_does_not_have() {
    let state = State::new().unwrap();
    let began = Instant::now();
    function(forks_in_a_turn, state.clone()).start().unwrap().join().unwrap();
    assert_eq!(state.require::<usize>("of child").unwrap(), CHANGES);
    assert!(began.elapsed() < HANG);
}

/// What a process has in memory.
fn resident_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_server_keeps_no_room_of_what_is_gone() {
    let (stack, state) = stack();
    let pid = stack["state"].pid().unwrap();
    let before = resident_kb(pid);
    state.set("large", &"x".repeat(48 << 20)).unwrap();
    assert_eq!(state.require::<String>("large").unwrap().len(), 48 << 20);
    assert!(resident_kb(pid) > before + (48 << 10));
    state.remove("large").unwrap();
    let after = resident_kb(pid);
    assert!(after < before + (24 << 10), "{before} kB, and {after} kB after it");
}

#[test]
fn a_name_is_one_line_whatever_is_in_it() {
    let state = State::new().unwrap();
    let hostile = "a\n\u{1b}[31mb";
    state.set(hostile, &1).unwrap();
    let error = state.get::<String>(hostile).unwrap_err().to_string();
    assert!(error.starts_with("`a\\n\\u{1b}[31mb` is a `i32`"), "{error}");
    let long = "k".repeat(1 << 20);
    let error = state.set(&long, &1).unwrap_err().to_string();
    assert!(error.len() < 1000, "{} bytes", error.len());
    let absent = state.require::<u32>("b\n").unwrap_err().to_string();
    assert!(absent.starts_with("`b\\n` is absent"), "{absent}");
}
