//! The first start in the life of a process, which has to start the guardian, too. Each sample is a process of its own.

use crate::bench::Bench;
use crate::outcome::Outcome;
use crate::roles::Role;
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 100;
const DIFFERENCE_MS: f64 = 2.0;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let (mut ours, mut raw) = (Samples::default(), Samples::default());
    for _ in 0..bench.samples(SAMPLES) {
        ours.push(first_start(bench, true)?);
        raw.push(first_start(bench, false)?);
    }
    let line = Line::new("start() of `simple`", ours).minus("Command::spawn", raw);
    Ok(vec![
        Table::new("first: the first start of a fresh process, ms")
            .line(line.budget(Budget::Difference(DIFFERENCE_MS))),
    ])
}

/// The child measures itself.
fn first_start(bench: &Bench, is_ours: bool) -> Outcome<f64> {
    let output = bench.command(&Role::First { ours: is_ours }).output()?;
    let text = String::from_utf8(output.stdout)?;
    let took = text.trim().parse();
    took.map_err(|_| format!("the child has measured nothing: {}", String::from_utf8_lossy(&output.stderr)).into())
}
