//! What guardian and shims do while nothing happens: nothing.

use std::time::Duration;

use crate::bench::Bench;
use crate::children::Owner;
use crate::clock;
use crate::outcome::Outcome;
use crate::procfs::{self, Kind, Work};
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 5;
const SERVICES: usize = 10;
const SECOND: Duration = Duration::from_secs(1);

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let owner = Owner::of_sleeps(bench, SERVICES)?;
    let own: Vec<i32> = [owner.pids(Kind::Guardian), owner.pids(Kind::Shim)].concat();
    let services = owner.pids(Kind::Service);
    // What the start has left to do is no idleness.
    clock::pause(SECOND);
    let (mut ticks, mut turns, mut its_turns) = (Samples::default(), Samples::default(), Samples::default());
    for _ in 0..if bench.is_quick() { 1 } else { SAMPLES } {
        let before = (work(&own)?, work(&services)?);
        clock::pause(SECOND);
        let after = (work(&own)?, work(&services)?);
        ticks.push((after.0.cpu_ticks - before.0.cpu_ticks) as f64);
        turns.push((after.0.turns - before.0.turns) as f64);
        its_turns.push((after.1.turns - before.1.turns) as f64);
    }
    let table = Table::new(format!("idle: guardian and {SERVICES} shims in an idle second"))
        .line(Line::new("ticks of CPU", ticks).budget(Budget::Ours(0.0)))
        .line(Line::new("turns on a CPU", turns).minus("their sleeps", its_turns));
    Ok(vec![table])
}

/// Of all of them together.
fn work(pids: &[i32]) -> Outcome<Work> {
    let mut all = Work::default();
    for pid in pids {
        let one = procfs::work(*pid)?;
        all = Work { cpu_ticks: all.cpu_ticks + one.cpu_ticks, turns: all.turns + one.turns };
    }
    Ok(all)
}
