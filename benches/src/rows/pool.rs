//! Functions in processes that stay: what an item costs where each takes no time, and where each takes a millisecond.
//!
//! Beside it the pool of `procspawn` with as many processes. Both have so many items under way that none of theirs waits.

use std::collections::VecDeque;
use std::thread;
use std::time::Duration;

use pkit_test::Pool;

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::stats::Samples;
use crate::table::{Line, Table};

const SAMPLES: usize = 10;
const ITEMS: u32 = 2_000;
const TASK_MS: u64 = 1;

/// What `Pool::map` reads ahead, for each of its processes.
const UNDER_WAY: usize = 2;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let workers = thread::available_parallelism()?.get();
    let (ours, its) = (Pool::new(workers)?, procspawn::Pool::new(workers)?);
    let items = if bench.is_quick() { ITEMS / 10 } else { ITEMS };
    let mut table = Table::new(format!("pool: an item of {items}, by {workers} processes, us"));
    for (what, task, alone_ms) in TASKS {
        let [mut us, mut peer] = [const { Vec::new() }; 2];
        for _ in 0..=bench.samples(SAMPLES) {
            us.push(each_us(items, || by_us(&ours, task, items))?);
            peer.push(each_us(items, || by_procspawn(&its, workers, task, items))?);
        }
        // The first of each has started what was not up yet.
        let samples = |values: Vec<f64>| -> Samples { values.into_iter().skip(1).collect() };
        let mut line = Line::new(what, samples(us)).over("procspawn", samples(peer));
        if alone_ms > 0 {
            let alone_us = alone_ms as f64 * 1e3 / workers as f64;
            line = line.over("the tasks alone", (0..bench.samples(SAMPLES)).map(|_| alone_us).collect());
        }
        table = table.line(line);
    }
    Ok(vec![table])
}

/// What is to be done with an item.
type Task = fn(u32) -> u32;

/// With the time that each takes by itself.
const TASKS: [(&str, Task, u64); 2] = [("that is nothing", nothing, 0), ("that waits for 1 ms", a_moment, TASK_MS)];

fn nothing(item: u32) -> u32 {
    item
}

/// Not by computing: there are no more CPUs than processes.
fn a_moment(item: u32) -> u32 {
    clock::pause(Duration::from_millis(TASK_MS));
    item
}

fn each_us(items: u32, work: impl FnOnce() -> Outcome<()>) -> Outcome<f64> {
    let (took_ms, done) = clock::timed(work);
    done?;
    Ok(took_ms * 1e3 / f64::from(items))
}

fn by_us(pool: &Pool, task: Task, items: u32) -> Outcome<()> {
    for (item, got) in (0..items).zip(pool.map(task, 0..items)) {
        same(item, got?)?;
    }
    Ok(())
}

/// In the same order, and with as many under way.
fn by_procspawn(pool: &procspawn::Pool, workers: usize, task: Task, items: u32) -> Outcome<()> {
    let mut under_way = VecDeque::new();
    for item in 0..items {
        if under_way.len() == workers * UNDER_WAY {
            end_first(&mut under_way)?;
        }
        under_way.push_back((item, pool.spawn(item, task)));
    }
    while !under_way.is_empty() {
        end_first(&mut under_way)?;
    }
    Ok(())
}

fn end_first(under_way: &mut VecDeque<(u32, procspawn::JoinHandle<u32>)>) -> Outcome<()> {
    let (item, handle) = under_way.pop_front().ok_or("there is one")?;
    same(item, handle.join()?)
}

fn same(item: u32, got: u32) -> Outcome<()> {
    if item == got { Ok(()) } else { Err(format!("{got} is the result of another than {item}").into()) }
}
