//! The memory of guardian and shims, where pages that several share count in part for each (PSS).

use crate::bench::Bench;
use crate::children::Owner;
use crate::outcome::Outcome;
use crate::procfs::{self, Kind};
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 5;
const SERVICES: [usize; 2] = [1, 100];
const GUARDIAN_MB: f64 = 1.0;
const SHIM_MB: f64 = 0.5;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let mut table = Table::new("memory: PSS, MB");
    for services in SERVICES {
        let seen = Seen::of(bench, services)?;
        let what = |who: &str| format!("{services} services: {who}");
        let beside = "a `sleep`";
        let guardian = Line::new(what("guardian"), seen.guardian).over(beside, seen.service.clone());
        let shim = Line::new(what("the largest shim"), seen.shim).over(beside, seen.service);
        table = table.line(guardian.budget(Budget::Ours(GUARDIAN_MB))).line(shim.budget(Budget::Ours(SHIM_MB)));
    }
    Ok(vec![table])
}

#[derive(Default)]
struct Seen {
    guardian: Samples,
    shim: Samples,
    service: Samples,
}

impl Seen {
    fn of(bench: &Bench, services: usize) -> Outcome<Seen> {
        let mut seen = Seen::default();
        for _ in 0..bench.samples(SAMPLES) {
            let owner = Owner::of_sleeps(bench, services)?;
            seen.guardian.push(largest(&owner, Kind::Guardian)?);
            seen.shim.push(largest(&owner, Kind::Shim)?);
            seen.service.push(largest(&owner, Kind::Service)?);
        }
        Ok(seen)
    }
}

fn largest(owner: &Owner, kind: Kind) -> Outcome<f64> {
    let sizes: Result<Vec<f64>, _> = owner.pids(kind).into_iter().map(procfs::pss_mb).collect();
    Ok(sizes?.into_iter().fold(0.0, f64::max))
}
