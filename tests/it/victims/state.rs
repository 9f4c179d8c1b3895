//! Tests whose state comes to an end before they do.

use std::os::unix::net::UnixStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal as Sig, kill};
use nix::sys::socket::{getsockopt, sockopt};
use nix::unistd::Pid;
use pkit_test::ready::Said;
use pkit_test::{Signal, State, current, function, orchestra, state, with_processes};
use pkit_test_tests::child::pause;

use super::chosen::is_chosen;
use crate::child::HANG;

/// All times are a fifth. Until the server is stopped, and when it goes on, it is to answer within that.
#[test]
fn is_stopped() {
    if !is_chosen() {
        return;
    }
    let stack = orchestra().with("state", state()).start().unwrap();
    let state = stack.get::<State>("state");
    state.set("n", &1).unwrap();
    stack["state"].signal(Signal::Stop).unwrap();
    let began = Instant::now();
    let (read, wait) = thread::scope(|scope| {
        let short = Duration::from_millis(100);
        let wait = scope.spawn(move || state.wait_until("n", |n: &i32| *n == 7, short).unwrap_err());
        (state.get::<i32>("n").unwrap_err(), wait.join().unwrap())
    });
    assert!(read.is_timeout() && !read.is_state_gone(), "{read}");
    assert!(read.to_string().starts_with("the state `state` does not answer\n"), "{read}");
    assert!(wait.is_timeout(), "{wait}");
    assert!(began.elapsed() < HANG);
    stack["state"].signal(Signal::Cont).unwrap();
    state.set("n", &3).unwrap();
    assert_eq!(state.get::<i32>("n").unwrap(), Some(3));
}

fn meets(state: State) -> usize {
    state.barrier("b", 2).unwrap().wait(Duration::from_secs(10)).unwrap()
}

/// All times are a fifth: of the wait, within which the other one has to be stopped and met, and of how long an answer may take.
#[test]
fn stops_one_who_waits() {
    if !is_chosen() {
        return;
    }
    let state = State::new().unwrap();
    let barrier = state.barrier("b", 2).unwrap();
    let worker = function(meets, state.clone()).start().unwrap();
    while barrier.waiting().unwrap() == 0 {
        thread::yield_now();
    }
    worker.pause().unwrap();
    assert_eq!(barrier.wait(Duration::from_secs(10)).unwrap(), 1);
    // Longer than both of its times.
    assert!(worker.wait_timeout(Duration::from_millis(4500)).unwrap().is_none());
    worker.resume().unwrap();
    assert_eq!(worker.join().unwrap(), 0);
}

fn tries_it(state: State) -> (bool, bool) {
    let permit = state.semaphore("held", 1).unwrap().try_acquire().unwrap();
    (permit.is_some(), permit.is_some_and(|permit| permit.after_death().is_some()))
}

/// All times are a fifth, and a server that was stopped for so long answers those who do not hear it any more.
#[test]
fn is_stopped_while_it_is_asked() {
    if !is_chosen() {
        return;
    }
    let stack = orchestra().with("state", state()).start().unwrap();
    let state = stack.get::<State>("state");
    let (semaphore, queue) = (state.semaphore("s", 1).unwrap(), state.queue::<u32>("q"));
    queue.push(&7).unwrap();
    let held = state.semaphore("held", 1).unwrap().acquire(HANG).unwrap();
    stack["state"].pause().unwrap();
    thread::scope(|scope| {
        scope.spawn(|| assert!(semaphore.try_acquire().unwrap_err().is_timeout()));
        assert!(queue.lease(Duration::ZERO).unwrap_err().is_timeout());
    });
    stack["state"].resume().unwrap();
    // Nobody has them, and nobody has died.
    let permit = semaphore.acquire(HANG).unwrap();
    assert!(permit.after_death().is_none());
    let item = queue.lease(HANG).unwrap();
    assert_eq!((*item, item.after_death()), (7, None));
    // What was held before is held, though all links were closed.
    let tried = || function(tries_it, state.clone()).start().unwrap().join().unwrap();
    assert_eq!(tried(), (false, false));
    drop(held);
    assert_eq!(tried(), (true, false));
    assert!(semaphore.try_acquire().unwrap().is_none());
    item.done().unwrap();
    drop(permit);
    assert!(semaphore.try_acquire().unwrap().is_some());
}

/// As many connections as leave a process room for itself.
const MANY: usize = 40;

fn takes_room(state: State) {
    let _links: Vec<_> = (0..MANY).map(|_| UnixStream::connect(state.path())).collect();
    current().ready();
    pause()
}

#[test]
fn is_full() {
    if !is_chosen() {
        return;
    }
    setrlimit(Resource::RLIMIT_NOFILE, 80, 80).unwrap();
    let stack = orchestra().with("state", state()).start().unwrap();
    let state = stack.get::<State>("state");
    state.set("n", &1).unwrap();
    let crowd = [(); 3].map(|()| function(takes_room, state.clone()).ready(Said::ready()).start().unwrap());
    // Whoever is in stays.
    state.set("n", &2).unwrap();
    let error = State::at(state.path()).unwrap_err();
    assert!(!error.is_state_gone(), "{error}");
    assert!(error.to_string().contains("lets nobody else in: "), "{error}");
    assert!(state.watch(&["n"]).unwrap_err().to_string().starts_with("the state `state` lets nobody else in: "));
    drop(crowd);
    assert_eq!(State::at(state.path()).unwrap().require::<i32>("n").unwrap(), 2);
}

#[with_processes(state = state())]
#[test]
fn crashes(state: State) {
    if is_chosen() {
        state.set("n", &1).unwrap();
        // Who listens there is the server.
        let server = getsockopt(&UnixStream::connect(state.path()).unwrap(), sockopt::PeerCredentials).unwrap();
        kill(Pid::from_raw(server.pid()), Sig::SIGKILL).unwrap();
        state.wait_until("n", |n: &i32| *n == 7, HANG).unwrap();
    }
}

#[test]
fn is_killed() {
    if is_chosen() {
        let state = State::new().unwrap();
        state.set("n", &1).unwrap();
        kill(Pid::this(), Sig::SIGKILL).unwrap();
    }
}

#[test]
fn is_a_grandchild() {
    if is_chosen() {
        let state = State::from_env().unwrap();
        state.set("pid", &std::process::id()).unwrap();
        state.wait_equal("seen", &true, HANG).unwrap();
    }
}
