//! What the dead leave behind. They say what they want in the words of the protocol, as no guard of theirs is dropped.

use std::thread;
use std::time::Duration;

use super::{LONG, World, process};
use crate::state::client::Client;
use crate::state::protocol::{BarrierAct, Key, Only, QueueAct, Reply, Request, SemaphoreAct};
use crate::state::value::stored;
use crate::sys::wait::eventually;

/// A process that asks for all that, and dies.
fn dies(world: &dyn World, requests: Vec<Request>) -> Vec<Reply> {
    let client = Client::new(world.backend("the dead"));
    requests.iter().map(|request| client.ask(request, LONG).unwrap()).collect()
}

pub(super) fn a_permit_of_the_dead_is_free(world: &dyn World) {
    let lock = process(world, "one").semaphore("lock", 1).unwrap();
    let act = |act| Request::Semaphore { name: "\0lock".into(), act };
    let replies =
        dies(world, vec![act(SemaphoreAct::Open { permits: 1 }), act(SemaphoreAct::Acquire { timeout: None })]);
    assert!(matches!(replies[1], Reply::Granted { .. }), "{replies:?}");
    let permit = lock.acquire(LONG).unwrap();
    assert_eq!(permit.after_death().unwrap().name(), "the dead");
    drop(permit);
    assert!(lock.acquire(LONG).unwrap().after_death().is_none(), "that is told once");
}

pub(super) fn a_barrier_of_the_dead_is_broken(world: &dyn World) {
    let barrier = process(world, "one").barrier("b", 2).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| barrier.wait(LONG));
        dies(world, vec![Request::Barrier { name: "\0b".into(), act: BarrierAct::Open { parties: 2 } }]);
        let error = waiter.join().unwrap().unwrap_err();
        assert!(error.is_broken());
        assert!(error.to_string().starts_with("barrier `b` is broken: `the dead`"), "{error}");
    });
    // Somebody takes its place.
    let heir = process(world, "heir").barrier("b", 2).unwrap();
    thread::scope(|scope| {
        let waiter = scope.spawn(|| barrier.wait(LONG));
        heir.wait(LONG).unwrap();
        waiter.join().unwrap().unwrap();
    });
    // One that has left harms nobody.
    drop(process(world, "guest").barrier("b", 2).unwrap());
    assert!(barrier.wait(Duration::ZERO).unwrap_err().is_timeout());
}

pub(super) fn an_item_of_the_dead_is_back(world: &dyn World) {
    let queue = process(world, "one").queue::<u32>("q");
    assert_eq!([1, 2].map(|item| queue.push(&item).unwrap()), [1, 2]);
    dies(world, vec![Request::Queue { name: "\0q".into(), act: QueueAct::Lease { timeout: None } }]);
    // A child that another test is about to execute may hold its links for a moment.
    eventually(|| queue.len().unwrap() == 2);
    let first = process(world, "heir").queue::<u32>("q").lease(LONG).unwrap();
    // Who is told of the death by the system may be told later than that it has closed its links.
    assert!(*first == 1 && first.after_death().unwrap().name() == "the dead");
    first.done().unwrap();
    assert!(queue.lease(LONG).unwrap().after_death().is_none());
}

pub(super) fn a_turn_of_the_dead_is_over(world: &dyn World) {
    let state = process(world, "one");
    dies(
        world,
        vec![
            Request::Turn { timeout: LONG },
            Request::Set {
                key: Key { space: "".into(), name: "n".into() },
                value: stored("`n`", &1).unwrap(),
                only: Only::Always,
            },
        ],
    );
    state.update("n", |n: &mut u32| *n += 1).unwrap();
    assert_eq!(state.get("n").unwrap(), Some(2));
}

pub(super) fn guards_are_silent_when_the_state_is_gone(world: &dyn World) {
    let state = process(world, "one");
    let queue = state.queue::<u32>("q");
    queue.push(&1).unwrap();
    let guards = (
        state.semaphore("s", 1).unwrap().acquire(LONG).unwrap(),
        state.barrier("b", 2).unwrap(),
        queue.lease(LONG).unwrap(),
        state.watch_all().unwrap(),
    );
    world.end();
    drop(guards);
}
