//! From the SIGKILL of the owner until nothing that it started is left. Beside it as many processes, killed by hand.

use std::os::fd::OwnedFd;

use nix::sys::signal::Signal;

use crate::bench::Bench;
use crate::children::{Owner, wait_dead};
use crate::clock;
use crate::outcome::Outcome;
use crate::raw::Raw;
use crate::simple;
use crate::stats::Samples;
use crate::sys;
use crate::table::{Budget, Line, Table};

const SAMPLES: usize = 20;
/// Where one takes seconds to set up.
const MANY_SAMPLES: usize = 5;
const GONE_MS: f64 = 20.0;
const DAEMONS: usize = 100;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    let mut services = Table::new("crash: from the SIGKILL of the owner until its services are gone, ms");
    let mut all = Table::new("crash: the same, until guardian and shims are gone, too, ms");
    for case in CASES {
        let seen = Seen::of(bench, case)?;
        let raw = "SIGKILL, pidfds";
        let line = Line::new(case.name, seen.services_ms).over(raw, seen.raw_ms.clone());
        // The budget is for a hundred; what a thousand take is the kernel's.
        let is_meant = case.processes <= DAEMONS + 1;
        services = services.line(if is_meant { line.budget(Budget::Ours(GONE_MS)) } else { line });
        all = all.line(Line::new(case.name, seen.all_ms).over(raw, seen.raw_ms));
    }
    Ok(vec![services, all])
}

#[derive(Clone, Copy)]
struct Case {
    name: &'static str,
    start: fn(&Bench) -> Outcome<Owner>,
    processes: usize,
}

const CASES: [Case; 4] = [
    Case { name: "one sleep", start: |bench| Owner::of_sleeps(bench, 1), processes: 1 },
    Case { name: "10 services", start: |bench| Owner::of_sleeps(bench, 10), processes: 10 },
    Case {
        name: "a service with 100 daemons",
        start: |bench| Owner::of_daemons(bench, DAEMONS),
        processes: DAEMONS + 1,
    },
    Case {
        name: "a service with 1000 daemons",
        start: |bench| Owner::of_daemons(bench, 10 * DAEMONS),
        processes: 10 * DAEMONS + 1,
    },
];

#[derive(Default)]
struct Seen {
    services_ms: Samples,
    all_ms: Samples,
    raw_ms: Samples,
}

impl Seen {
    fn of(bench: &Bench, case: Case) -> Outcome<Seen> {
        let mut seen = Seen::default();
        let samples = if case.processes > DAEMONS + 1 { MANY_SAMPLES } else { SAMPLES };
        for _ in 0..bench.samples(samples) {
            seen.ours((case.start)(bench)?)?;
            seen.raw(case.processes)?;
        }
        Ok(seen)
    }

    fn ours(&mut self, mut owner: Owner) -> Outcome<()> {
        let (services, own) = owner.pidfds()?;
        let began = clock::now_ns();
        owner.kill()?;
        wait_dead(&services)?;
        self.services_ms.push(clock::since_ms(began));
        wait_dead(&own)?;
        self.all_ms.push(clock::since_ms(began));
        Ok(())
    }

    fn raw(&mut self, processes: usize) -> Outcome<()> {
        let children: Vec<Raw> = (0..processes).map(|_| simple::raw()).collect::<Result<_, _>>()?;
        let pidfds: Vec<OwnedFd> = children.iter().map(|child| sys::pidfd(child.pid())).collect::<Result<_, _>>()?;
        let began = clock::now_ns();
        children.iter().try_for_each(|child| child.signal(Signal::SIGKILL))?;
        wait_dead(&pidfds)?;
        self.raw_ms.push(clock::since_ms(began));
        Ok(())
    }
}
