//! Each further start, when the guardian is there.

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::simple;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 200;
const DIFFERENCE_MS: f64 = 0.5;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    // The first one is another row.
    drop(simple::ours().start()?);
    let (mut ours, mut raw) = (Samples::default(), Samples::default());
    for _ in 0..bench.samples(SAMPLES) {
        let (took_ms, process) = clock::timed(|| simple::ours().start());
        drop(process?);
        ours.push(took_ms);
        let (took_ms, child) = clock::timed(simple::raw);
        drop(child?);
        raw.push(took_ms);
    }
    let line = Line::new("start() of `simple`", ours).minus("Command::spawn", raw);
    Ok(vec![Table::new("further: each further start, ms").line(line.budget(Budget::Difference(DIFFERENCE_MS)))])
}
