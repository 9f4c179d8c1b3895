//! How a state begins and ends: who ends it, and what all others see then.

use std::path::PathBuf;
use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use pkit_test::{Error, Restart, Result, Stack, State, function, orchestra, state};
use pkit_test_tests::child::wait_ms;
use pkit_test_tests::process::{fds, threads};

use crate::child::HANG;
use crate::functions::lives;
use crate::nested::victim;

/// Longer than any test.
const EVER: Duration = Duration::from_secs(3600);

/// In a stack, where its process can be laid hands on.
fn stack() -> (Stack, State) {
    let stack = orchestra().with("state", state()).start().unwrap();
    let state = stack.get::<State>("state").clone();
    (stack, state)
}

#[test]
fn the_last_clone_ends_it() {
    let state = State::new().unwrap();
    let path = state.path().to_owned();
    state.set("n", &1).unwrap();
    let others = [state.clone(), state.namespace("inner"), state.clone()];
    drop(state);
    assert_eq!(others[2].get::<i32>("n").unwrap(), Some(1));
    let guest = State::at(&path).unwrap();
    drop(others);
    assert!(!path.exists());
    let error = guest.get::<i32>("n").unwrap_err();
    assert!(error.is_state_gone(), "{error}");
    assert!(error.to_string().contains("its server has ended, and its socket with it"), "{error}");
}

#[test]
fn two_states_never_see_each_other() {
    let [one, other] = [State::new().unwrap(), State::new().unwrap()];
    one.set("n", &1).unwrap();
    assert_eq!(other.get::<i32>("n").unwrap(), None);
    assert_ne!(one.path(), other.path());
}

/// Descriptors and threads.
type Count = [Option<usize>; 2];

/// More than there are threads in one use, of which some may still be counted at first.
const USES: usize = 12;

/// In a process of its own, where nobody else opens anything.
fn what_is_left_of_many() -> [Count; 2] {
    let use_it = || {
        let state = State::new().unwrap();
        let guest = State::at(state.path()).unwrap();
        guest.set("n", &1).unwrap();
        thread::scope(|scope| {
            for n in 0..8 {
                let state = &state;
                scope.spawn(move || state.increment("n", n).unwrap());
            }
        });
        let _watch = state.watch_all().unwrap();
    };
    let count = || [fds(std::process::id()), threads(std::process::id())];
    use_it();
    let (before, deadline) = (count(), Instant::now() + HANG);
    (0..USES).for_each(|_| use_it());
    // A thread is counted until the kernel is done with it, which is later than it has been waited for.
    loop {
        let after = count();
        if !is_more(after, before) || Instant::now() >= deadline {
            return [before, after];
        }
        wait_ms(1);
    }
}

fn is_more(after: Count, before: Count) -> bool {
    after.iter().zip(before).any(|(after, before)| *after > before)
}

#[test]
fn nothing_is_left_of_one() {
    let [before, after] = function(what_is_left_of_many, ()).start().unwrap().join().unwrap();
    assert!(before[0].is_some() && !is_more(after, before), "{after:?} after {before:?}");
}

/// A wait of each kind, and one that would never come to an end.
type Wait = fn(&State) -> Result<()>;

const WAITS: [Wait; 9] = [
    |state| state.wait_until("n", |n: &u32| *n > 7, EVER).map(drop),
    |state| state.wait_present::<u32>("absent", EVER).map(drop),
    |state| state.wait_change(&["n"], EVER).map(drop),
    |state| state.barrier("barrier", 2)?.wait(EVER).map(drop),
    |state| state.latch("latch", 1)?.wait(EVER),
    |state| {
        let semaphore = state.semaphore("semaphore", 1)?;
        let _held = semaphore.acquire(EVER)?;
        semaphore.acquire(EVER).map(drop)
    },
    |state| state.queue::<u32>("queue").pop(EVER).map(drop),
    |state| state.phase("phase").pass("step", EVER),
    |state| state.watch(&["n"])?.next().expect("it never ends").map(drop),
];

/// What all who wait get when that happens to the server.
fn woken_by(end: impl FnOnce(&Stack)) -> Vec<Error> {
    let (stack, state) = stack();
    let begun = Barrier::new(WAITS.len() + 1);
    thread::scope(|scope| {
        let waits = WAITS.map(|wait| {
            let (state, begun) = (&state, &begun);
            scope.spawn(move || {
                begun.wait();
                wait(state).unwrap_err()
            })
        });
        begun.wait();
        end(&stack);
        waits.into_iter().map(|wait| wait.join().unwrap()).collect()
    })
}

#[test]
fn a_killed_server_wakes_all_who_wait_and_they_know_how_it_ended() {
    let began = Instant::now();
    for error in woken_by(|stack| stack["state"].kill().unwrap()) {
        assert!(error.is_state_gone(), "{error}");
        assert!(error.to_string().starts_with("the state `state` is gone\n"), "{error}");
        assert_eq!(error.exit().and_then(|exit| exit.signal()), Some(9), "{error}");
    }
    assert!(began.elapsed() < HANG);
}

#[test]
fn a_server_that_was_stopped_wakes_them_as_well() {
    for error in woken_by(|stack| stack["state"].stop().unwrap()) {
        assert!(error.is_state_gone(), "{error}");
        assert!(error.exit().is_some_and(|exit| exit.success()), "{error}");
    }
}

#[test]
fn another_server_in_the_same_place_is_not_the_same_state() {
    let (stack, state) = stack();
    state.set("n", &1).unwrap();
    stack["state"].restart(Restart::Forced).unwrap();
    let error = state.get::<i32>("n").unwrap_err();
    assert!(error.is_state_gone(), "{error}");
    assert!(error.to_string().contains("another one is at the same place"), "{error}");
    assert_eq!(State::at(state.path()).unwrap().get::<i32>("n").unwrap(), None);
}

#[test]
fn a_server_that_does_not_answer_is_an_error_and_no_hang() {
    victim("state::is_stopped").env("PKIT_TIMEOUT_SCALE", "0.2").passes();
}

#[test]
fn a_crash_of_it_fails_the_test() {
    let ended = victim("state::crashes").run();
    assert!(!ended.status.success());
    assert!(ended.text().contains("`state` ended during the test, and nobody asked it to"), "{}", ended.text());
    assert!(ended.text().contains("the state `state` is gone"), "{}", ended.text());
}

#[test]
fn a_killed_test_takes_it_along() {
    let victim = victim("state::is_killed");
    let ended = victim.run();
    assert!(!ended.status.success());
    victim.will_be_gone(&ended);
}

#[test]
fn whoever_finds_none_is_told_why() {
    let nowhere = State::at("/nowhere/state").unwrap_err();
    assert!(nowhere.is_state_gone(), "{nowhere}");
    assert!(nowhere.to_string().starts_with("the state at /nowhere/state is gone"), "{nowhere}");
    // A socket at which something else listens.
    let directory = std::env::temp_dir().join(format!("pkit-test-no-state-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path: PathBuf = directory.join("socket");
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let error = thread::scope(|scope| {
        scope.spawn(|| {
            use std::io::{Read as _, Write as _};
            let (mut stream, _) = listener.accept().unwrap();
            // A connection that is closed with something unread is broken, and takes the answer with it.
            assert!(stream.read(&mut [0; 4096]).unwrap() > 0);
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
        });
        State::at(&path).unwrap_err()
    });
    std::fs::remove_dir_all(&directory).unwrap();
    assert!(error.is_state_gone() || error.to_string().contains("no state"), "{error}");
}

#[test]
fn its_process_is_that_of_the_stack_and_no_longer() {
    let (stack, state) = stack();
    let pid = stack["state"].pid().unwrap();
    assert!(lives(pid));
    drop(stack);
    drop(state);
    assert!(!lives(pid));
}

#[test]
fn one_that_is_given_away_is_gone_and_says_how_to_keep_it() {
    let worker = function(|state: State| state.len().unwrap_err().to_string(), State::new().unwrap()).start().unwrap();
    let error = worker.join().unwrap();
    assert!(error.contains("hint:   it ends with the last handle of the process that has started it"), "{error}");
}
