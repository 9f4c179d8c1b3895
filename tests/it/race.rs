//! Everything at once, for a second; or for as many as `PKIT_RACE_SECONDS` says.

use std::env;
use std::hash::{BuildHasher as _, RandomState};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pkit_test::{
    Executor, Ground, Process, Restart, Result, Signal, Spec, Strategy, Supervision, orchestra, output, simple, tcp,
};

use crate::child::{Child, HANG, child};

const THREADS: usize = 4;
/// Short, as some children are deaf.
const GRACE: Duration = Duration::from_millis(10);

/// For how long, where that is set.
pub(crate) const RACE_SECONDS: &str = "PKIT_RACE_SECONDS";

/// Until when.
pub(crate) fn end() -> Instant {
    let seconds = env::var(RACE_SECONDS).ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    Instant::now() + Duration::from_secs(seconds)
}

/// Another number each time.
pub(crate) fn random(below: usize) -> usize {
    RandomState::new().hash_one(Instant::now()) as usize % below
}

/// A part of that, another one each time.
pub(crate) fn random_part(of: Duration) -> Duration {
    Duration::from_micros(random(of.as_micros() as usize + 1) as u64)
}

/// One of all that a start can be about.
fn spec(children: &[Child]) -> Spec {
    let one = &children[random(children.len())];
    let name = one.path().file_name().unwrap().to_str().unwrap().to_owned();
    let spec = match name.as_str() {
        "slow" => tcp(one.with("1 {port}"), 0),
        "daemonizer" => tcp(one.with("{port}"), 0),
        "exits" => simple(one.with("3 --ms 1")),
        "forks" => output(one.with("5 --setsid"), "forked"),
        "flood" => simple(one.with("0")),
        _ => output(one.with(""), "."),
    };
    spec.stop_timeout(GRACE).start_timeout(Duration::from_secs(3)).supervise(supervision())
}

/// How it is to live.
fn supervision() -> Supervision {
    let kinds = [Supervision::temporary(), Supervision::transient(), Supervision::permanent()];
    kinds[random(kinds.len())].backoff(Duration::from_millis(1), Duration::from_millis(4))
}

/// Something that can be done to any process at any time; whether it works is its own business.
fn act(process: &Process) {
    match random(13) {
        0 => _ = process.stop(),
        1 => _ = process.kill(),
        2 => _ = process.terminate(),
        3 => _ = process.restart(Restart::Forced),
        4 => _ = process.restart(Restart::Graceful),
        5 => _ = process.start(),
        6 => _ = process.signal([Signal::Kill, Signal::Term, Signal::Stop, Signal::Usr1][random(4)]),
        7 => _ = process.pause(),
        8 => _ = process.resume(),
        9 => _ = process.write_stdin("text"),
        10 => _ = (process.pid(), process.try_wait(), process.is_alive(), process.exit()),
        11 => _ = process.close_stdin(),
        _ => _ = process.stderr(),
    }
}

fn children() -> Vec<Child> {
    ["sleeper", "slow", "deaf", "daemon", "daemonizer", "forks", "hopper", "exits", "flood", "stops_itself"]
        .map(child)
        .into()
}

#[test]
fn whatever_happens_to_handles_nothing_is_left() {
    let (children, end) = (children(), end());
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                while Instant::now() < end {
                    let Ok(process) = spec(&children).start() else { continue };
                    (0..random(5)).for_each(|_| act(&process));
                }
            });
        }
    });
    assert!(children.iter().all(|child| child.count() == 0));
}

#[test]
fn whatever_happens_to_one_handle_in_many_hands_nothing_is_left() {
    let (children, end) = (children(), end());
    while Instant::now() < end {
        let Ok(process) = spec(&children).start() else { continue };
        thread::scope(|threads| {
            (0..THREADS).for_each(|_| drop(threads.spawn(|| (0..3).for_each(|_| act(&process)))));
        });
    }
    assert!(children.iter().all(|child| child.count() == 0));
}

#[test]
fn whatever_happens_in_stacks_nothing_is_left() {
    let (children, end) = (children(), end());
    let starts = Mutex::new(0);
    thread::scope(|threads| {
        for _ in 0..THREADS / 2 {
            threads.spawn(|| {
                // However long they take here, and whatever is among them: one of so many does start.
                while Instant::now() < end || *starts.lock().unwrap() == 0 && Instant::now() < end + HANG {
                    let stack = orchestra()
                        .with("one", spec(&children))
                        .with("two", spec(&children).after("one"))
                        .with("three", spec(&children).env("ONE", "{one.dir}"))
                        .with("four", spec(&children))
                        .strategy([Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][random(3)]);
                    let Ok(stack) = stack.start() else { continue };
                    *starts.lock().unwrap() += 1;
                    stack.names().for_each(|name| act(&stack[name]));
                }
            });
        }
    });
    assert!(*starts.lock().unwrap() > 0 && children.iter().all(|child| child.count() == 0));
}

/// Does something on its ground until it is over.
struct Does<F>(F);

impl<F: FnOnce(&Ground) + Send> Executor for Does<F> {
    type Handle = ();

    fn start_on(self, ground: &Ground) -> Result<()> {
        (self.0)(ground);
        Ok(())
    }
}

#[test]
fn a_stack_is_asked_from_outside_while_its_members_look_outwards() {
    static IS_OVER: AtomicBool = AtomicBool::new(false);
    let end = end();
    let inside = Does(move |ground: &Ground| {
        let taken = ground.fill("{&server.port}").unwrap().parse().unwrap();
        while Instant::now() < end {
            let error = tcp("true {port}", taken).place(ground).unwrap_err();
            assert!(error.to_string().contains("is that of `server`, of the same stack"), "{error}");
        }
        IS_OVER.store(true, Ordering::Relaxed);
    });
    let outside = Does(|ground: &Ground| {
        while !IS_OVER.load(Ordering::Relaxed) {
            ground.fill("{&inner.asks.port}").unwrap_err();
        }
    });
    let inner = orchestra().with("asks", inside);
    let server = simple("sleep 60 {port}");
    orchestra().with("inner", inner).with("server", server).with("outside", outside).start().unwrap();
}
