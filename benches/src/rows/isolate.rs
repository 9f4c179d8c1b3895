//! What it costs to give a process ids of its own, and a test a network of its own: beside the same start without.

use pkit_test::{Isolation, Result, Spec};

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::simple;
use crate::stats::Samples;
use crate::table::{Line, Table};

const SAMPLES: usize = 100;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    // The first one is another row.
    drop(simple::ours().start()?);
    Ok(vec![table(bench, "isolate: start() of `simple`, ms", start)?, table(bench, "isolate: drop of it, ms", end)?])
}

fn start(spec: Spec) -> Result<f64> {
    let (took_ms, process) = clock::timed(|| spec.start());
    process.map(|_| took_ms)
}

fn end(spec: Spec) -> Result<f64> {
    let process = spec.start()?;
    let (took_ms, ()) = clock::timed(|| drop(process));
    Ok(took_ms)
}

fn table(bench: &Bench, title: &str, measure: fn(Spec) -> Result<f64>) -> Outcome<Table> {
    let (mut plain, mut pid, mut net) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..bench.samples(SAMPLES) {
        plain.push(measure(simple::ours())?);
        pid.push(measure(simple::ours().isolate(Isolation::Pid))?);
        net.push(measure(simple::ours().isolate(Isolation::Net))?);
    }
    let pid = Line::new("isolate(Isolation::Pid)", pid).minus("without", plain.clone());
    Ok(Table::new(title).line(pid).line(Line::new("isolate(Isolation::Net)", net).minus("without", plain)))
}
