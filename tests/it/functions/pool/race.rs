//! Workers are killed at random while items run; and what is left after many of both.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pkit_test::{Pool, Signal, Ticket, pool};
use pkit_test_tests::child::wait_us;

use super::{are_gone, double, running};
use crate::alone::alone;
use crate::many::{Uses, settled};
use crate::race::{end, random, random_part};

const LIMIT: Duration = Duration::from_millis(200);

/// Works a little, and does sometimes what it should not.
fn moody(n: usize, mood: usize) -> usize {
    match mood {
        0 => std::process::abort(),
        1 => std::process::exit(3),
        2 => panic!("item {n}"),
        _ => wait_us(mood as u64 * 20),
    }
    n
}

fn harm(pool: &Pool) {
    let signals = [Signal::Kill, Signal::Kill, Signal::Term, Signal::Stop, Signal::Abort];
    if let Some(process) = pool.processes().nth(random(4)) {
        // Whether it lives just now is its own business.
        let _ = process.signal(signals[random(signals.len())]);
    }
    wait_us(random_part(Duration::from_millis(8)).as_micros() as u64);
}

#[test]
fn whoever_is_killed_every_item_has_one_answer() {
    let pool = pool(3).retries(1).item_timeout(LIMIT).start().unwrap();
    let (until, is_over, answered) = (end(), AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|threads| {
        let (pool, is_over, answered) = (&pool, &is_over, &answered);
        threads.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                harm(pool);
            }
        });
        let work = |maps: bool| {
            move || {
                // On a busy machine the first crash may need longer than the race is to last.
                while Instant::now() < until || answered.load(Ordering::Relaxed) == 0 || pool.crashes().is_empty() {
                    let items = (0..20).map(|n| (n, random(60)));
                    let answers: Vec<_> = if maps {
                        pool.map(moody, items).collect()
                    } else {
                        let tickets: Vec<_> = items.map(|item| pool.submit(moody, item)).collect();
                        tickets.iter().map(Ticket::join).collect()
                    };
                    let in_order =
                        answers.iter().enumerate().all(|(n, answer)| answer.as_ref().map_or(true, |m| *m == n));
                    assert!(in_order && answers.len() == 20, "{answers:?}");
                    answered.fetch_add(answers.iter().flatten().count(), Ordering::Relaxed);
                }
            }
        };
        let workers = [true, true, false].map(|maps| threads.spawn(work(maps)));
        workers.into_iter().for_each(|worker| worker.join().unwrap());
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(answered.load(Ordering::Relaxed) > 0 && !pool.crashes().is_empty());
    let before = running(&pool);
    drop(pool);
    assert!(are_gone(&before));
}

#[test]
fn thousands_of_items_and_a_hundred_crashes_leave_no_trace() {
    alone(|| {
        let (pool, idle) = (Pool::new(2).unwrap(), settled());
        let turn = |crashes: usize| {
            pool.map(moody, (0..crashes).map(|n| (n, n % 2))).for_each(|answer| assert!(answer.is_err()));
            pool.map(double, 0..1000).for_each(|answer| assert!(answer.is_ok()));
        };
        turn(20);
        drop(idle);
        let idle = settled();
        let before = Uses::now();
        drop(idle);
        turn(100);
        let idle = settled();
        assert_eq!(Uses::now(), before);
        assert_eq!(pool.crashes().len(), 120);
        drop(idle);
    });
}
