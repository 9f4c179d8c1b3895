//! What a start costs a test process of 10 MB, 100 MB and 1 GB.

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::peers::{NOT_THERE, Python};
use crate::roles::Role;
use crate::simple;
use crate::stats::Samples;
use crate::table::{Line, Table};

const SIZES_MB: [usize; 3] = [10, 100, 1024];
const SAMPLES: usize = 50;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let mut table = Table::new("spawn: a further start by a process of that size, ms");
    for megabytes in SIZES_MB {
        let [ours, raw, fork, wrap, kit] = by_child(bench, megabytes)?;
        let mut line = Line::new(format!("{megabytes} MB"), ours).over("Command::spawn", raw);
        line = line.over("Command::spawn that has to fork", fork);
        line = line.over("process-wrap", wrap).over("processkit", kit);
        if let Some(mirakuru) = by_mirakuru(bench, megabytes)? {
            line = line.over("mirakuru", mirakuru);
        }
        table = table.line(line);
    }
    let table = table.note("pytest-xprocess is not in here: it cannot start without waiting for a line of the log");
    Ok(vec![match Python::start(bench, "mirakuru")? {
        Some(_) => table,
        None => table.note(NOT_THERE),
    }])
}

/// The child measures itself.
fn by_child(bench: &Bench, megabytes: usize) -> Outcome<[Samples; 5]> {
    let samples = bench.samples(SAMPLES);
    let output = bench.command(&Role::Grown { megabytes, samples }).env("PKIT_DIR", bench.scratch()).output()?;
    let mut ways: [Samples; 5] = Default::default();
    for line in String::from_utf8(output.stdout)?.lines() {
        for (way, word) in ways.iter_mut().zip(line.split(' ')) {
            way.push(word.parse()?);
        }
    }
    match ways[4].count() == samples {
        true => Ok(ways),
        false => Err(format!("the child has not measured all: {}", String::from_utf8_lossy(&output.stderr)).into()),
    }
}

fn by_mirakuru(bench: &Bench, megabytes: usize) -> Outcome<Option<Samples>> {
    let Some(mut python) = Python::start(bench, "mirakuru")? else { return Ok(None) };
    python.grow(megabytes)?;
    let mut samples = Samples::default();
    for _ in 0..bench.samples(SAMPLES) {
        let up = python.up(None, &simple::command())?;
        samples.push(clock::between_ms(up.began_ns, up.ended_ns));
        python.tell_to("kill")?;
        python.answer()?;
    }
    Ok(Some(samples))
}
