//! A handle in many hands: threads, and the drop of what needs it.

use std::fs;
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use pkit_test::{Error, Exit, Mark, Orchestra, Process, Restart, Signal, Spec, Stack, orchestra, output};

use crate::child::{HANG, child};

#[test]
fn handles_specs_and_errors_can_be_sent_and_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    fn sent<T: Send + 'static>() {}
    shared::<(Process, Spec, Error, Exit, Mark)>();
    sent::<(Stack, Orchestra)>();
}

#[test]
fn eight_threads_may_use_one_handle_at_once() {
    const THREADS: usize = 8;
    const TURNS: usize = 10;
    let polite = child("polite");
    let process = output(polite.with("0"), "ready").start().unwrap();
    let (starts, barrier) = (AtomicUsize::new(0), Barrier::new(THREADS));
    let turn = |index: usize| {
        barrier.wait();
        match index {
            0 => drop(process.restart(Restart::Forced)),
            1 => drop(process.stop()),
            2 => drop(process.start().map(|()| starts.fetch_add(1, Ordering::Relaxed))),
            3 => drop(process.signal(Signal::Usr2)),
            4 => assert!(process.output().len() < 100),
            5 => drop(process.pause().and_then(|()| process.resume())),
            6 => drop((process.pid(), process.exit(), process.wait_for_output("ready", HANG))),
            _ => drop(process.kill()),
        }
    };
    thread::scope(|scope| {
        for index in 0..THREADS {
            scope.spawn(move || (0..TURNS).for_each(|_| turn(index)));
        }
    });
    process.restart(Restart::Graceful).unwrap();
    assert_eq!((process.is_alive(), polite.count()), (true, 1));
}

#[test]
fn many_may_wait_for_one_end() {
    let sleeper = child("sleeper");
    let process = output(sleeper.with(""), "sleeper").start().unwrap();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..8).map(|_| scope.spawn(|| process.wait().unwrap())).collect();
        process.kill().unwrap();
        assert!(waiting.into_iter().all(|thread| thread.join().unwrap().signal() == Some(9)));
    });
}

#[test]
fn only_one_of_many_starts_is_a_start() {
    let sleeper = child("sleeper");
    let process = output(sleeper.with(""), "sleeper").start().unwrap();
    process.stop().unwrap();
    thread::scope(|scope| {
        let starts: Vec<_> = (0..8).map(|_| scope.spawn(|| process.start())).collect();
        let results: Vec<_> = starts.into_iter().map(|thread| thread.join().unwrap()).collect();
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
        assert!(results.iter().filter_map(|result| result.as_ref().err()).all(Error::is_state));
    });
    assert_eq!((sleeper.count(), process.restarts()), (1, 1));
}

#[test]
fn what_needs_it_ends_before_it() {
    let order = child("order");
    let file = order.file("stops");
    let spec = |name: &str, needs: &str| {
        output(order.with(&format!("{name} {} --ms 20", file.display())), "ready").env("NEEDS", needs)
    };
    let stack = orchestra()
        .with("api", spec("api", "{cache.dir} {db.dir}"))
        .with("web", spec("web", "").after("api"))
        .with("db", spec("db", ""))
        .with("cache", spec("cache", "{db.dir}"))
        .start()
        .unwrap();
    drop(stack);
    assert_eq!(fs::read_to_string(&file).unwrap(), "web\napi\ncache\ndb\n");
}

#[test]
fn an_explicit_stop_touches_its_own_alone() {
    let sleeper = child("sleeper");
    let spec = || output(sleeper.with(""), "sleeper");
    let stack = orchestra().with("db", spec()).with("api", spec().after("db")).start().unwrap();
    stack["db"].stop().unwrap();
    assert_eq!((stack["db"].is_alive(), stack["api"].is_alive()), (false, true));
    stack["db"].start().unwrap();
    stack["db"].kill().unwrap();
    assert!(stack["api"].is_alive());
}
