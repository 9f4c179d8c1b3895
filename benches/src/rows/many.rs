//! Many processes: one after the other, and all up before the first goes down. The time of each must not grow with them.

use nix::sys::signal::Signal;

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::raw::Raw;
use crate::simple;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 10;
const RATIO: f64 = 2.0;
/// What is linear on paper still meets larger tables in the kernel and in the cache.
const LINEAR: f64 = 1.25;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let (few, many) = if bench.is_quick() { (20, 100) } else { (100, 1000) };
    let mut table = Table::new(format!("many: {few} and {many} processes up and down, ms"));
    let mut linear = Table::new(format!("many: up and down, ms a process with {many} of them beside {few}"));
    for way in WAYS {
        let seen_few = Seen::of(bench.samples(SAMPLES), way, few)?;
        let seen_many = Seen::of(bench.samples(SAMPLES / 3), way, many)?;
        let line = seen_few.line(format!("{few} {}", way.name));
        table = table.line(if way.is_together { line.budget(Budget::Ratio(RATIO)) } else { line });
        table = table.line(seen_many.line(format!("{many} {}", way.name)));
        let each = |samples: &Samples, count: usize| samples.map(|ms| ms / count as f64);
        let line = Line::new(format!("ours, {}", way.name), each(&seen_many.ours, many));
        let line = line.over(format!("with {few}"), each(&seen_few.ours, few));
        linear = linear.line(line.budget(Budget::Ratio(LINEAR)));
        let line = Line::new(format!("by hand, {}", way.name), each(&seen_many.raw, many));
        linear = linear.line(line.over(format!("with {few}"), each(&seen_few.raw, few)));
    }
    Ok(vec![table, linear])
}

/// How many processes come and go.
#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// One after the other a process costs its start and its stop, which have budgets of their own: a ratio of two here
    /// would be a third of what those allow.
    is_together: bool,
    ours: fn(usize) -> Outcome<()>,
    raw: fn(usize) -> Outcome<()>,
}

const WAYS: [Way; 3] = [
    Way { name: "one after the other", is_together: false, ours: each_by_us, raw: each_by_hand },
    Way { name: "all up, then all down", is_together: true, ours: all_by_us, raw: all_by_hand },
    Way { name: "in one stack", is_together: true, ours: stack_by_us, raw: all_by_hand },
];

struct Seen {
    ours: Samples,
    raw: Samples,
}

impl Seen {
    fn of(samples: usize, way: Way, count: usize) -> Outcome<Seen> {
        let mut seen = Seen { ours: Samples::default(), raw: Samples::default() };
        for _ in 0..samples {
            let (took_ms, result) = clock::timed(|| (way.ours)(count));
            result?;
            seen.ours.push(took_ms);
            let (took_ms, result) = clock::timed(|| (way.raw)(count));
            result?;
            seen.raw.push(took_ms);
        }
        Ok(seen)
    }

    fn line(&self, what: String) -> Line {
        Line::new(what, self.ours.clone()).over("by hand", self.raw.clone())
    }
}

fn each_by_us(count: usize) -> Outcome<()> {
    (0..count).try_for_each(|_| simple::ours().start().map(drop).map_err(Into::into))
}

fn each_by_hand(count: usize) -> Outcome<()> {
    (0..count).try_for_each(|_| end(simple::raw()?))
}

fn all_by_us(count: usize) -> Outcome<()> {
    let up: pkit_test::Result<Vec<_>> = (0..count).map(|_| simple::ours().start()).collect();
    up?.into_iter().rev().for_each(drop);
    Ok(())
}

fn all_by_hand(count: usize) -> Outcome<()> {
    let up: std::io::Result<Vec<Raw>> = (0..count).map(|_| simple::raw()).collect();
    up?.into_iter().rev().try_for_each(end)
}

fn stack_by_us(count: usize) -> Outcome<()> {
    let members: Vec<_> = (0..count).map(|number| (format!("n{number}"), simple::ours())).collect();
    drop(pkit_test::orchestrate(members).start()?);
    Ok(())
}

fn end(mut raw: Raw) -> Outcome<()> {
    Ok(raw.end(Signal::SIGTERM)?)
}
