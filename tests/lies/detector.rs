//! Many starts, some at a time, and what came of them.

use std::collections::BTreeMap;
use std::env;
use std::fmt;
use std::hash::{BuildHasher as _, RandomState};
use std::str::FromStr;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use pkit_test_tests::private::Private;
use pkit_test_tests::seed::Seed;

use crate::attempt::{Stage, Verdict, attempt};
use crate::scenario::Scenario;

/// Most of the time they all wait, so there are more of them than processors.
const PER_PROCESSOR: usize = 3;
/// More than these say nothing new.
const SHOWN: usize = 3;

/// How it is looked for.
#[derive(Debug)]
pub(crate) struct Detector {
    starts: u64,
    seed: u64,
    any_owner: bool,
}

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    seed: u64,
    took: Duration,
    /// By kind: how many were ready, and how many were not.
    counts: BTreeMap<&'static str, (u64, u64)>,
    pub(crate) lies: Vec<String>,
    pub(crate) missed: Vec<String>,
}

impl Detector {
    /// As the environment says, or that many from any seed on.
    pub(crate) fn of_settings(starts: u64) -> Detector {
        let any = RandomState::new().hash_one(Instant::now()) >> 16;
        let seed = setting("PKIT_LIES_SEED").unwrap_or(any);
        Detector { starts: setting("PKIT_LIES").unwrap_or(starts), seed, any_owner: false }
    }

    /// No more than that, whatever the environment says.
    pub(crate) fn limited(self, starts: u64) -> Detector {
        Detector { starts, ..self }
    }

    /// Turns the check of the owner off.
    pub(crate) fn believing_anybody(self) -> Detector {
        Detector { any_owner: true, ..self }
    }

    pub(crate) fn run(&self, make: fn(&mut Seed) -> Scenario) -> Found {
        let liar = Private::copy_of("liar");
        let directory = liar.path().parent().expect("it lies in a directory");
        let stage = Stage { program: liar.path(), directory, any_owner: self.any_owner };
        let found = Mutex::new(Found { seed: self.seed, ..Found::default() });
        let (next, began) = (AtomicU64::new(0), Instant::now());
        thread::scope(|threads| {
            for _ in 0..thread::available_parallelism().map_or(1, usize::from) * PER_PROCESSOR {
                threads.spawn(|| self.work(stage, make, &next, &found));
            }
        });
        assert_eq!(liar.survivors(), Vec::<u32>::new(), "processes are left");
        Found { took: began.elapsed(), ..found.into_inner().expect("no worker panicked") }
    }

    fn work(&self, stage: Stage<'_>, make: fn(&mut Seed) -> Scenario, next: &AtomicU64, found: &Mutex<Found>) {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= self.starts {
                return;
            }
            let seed = self.seed.wrapping_add(number);
            let scenario = make(&mut Seed::new(seed));
            let verdict = attempt(stage, &scenario, number);
            found.lock().expect("no worker panicked").add(&scenario, seed, verdict);
        }
    }
}

impl Found {
    fn add(&mut self, scenario: &Scenario, seed: u64, verdict: Verdict) {
        let counts = self.counts.entry(scenario.kind).or_default();
        match &verdict {
            Verdict::Ready | Verdict::Lie(_) => counts.0 += 1,
            Verdict::NotReady | Verdict::Missed(_) => counts.1 += 1,
        }
        match verdict {
            Verdict::Lie(evidence) => self.lies.push(format!("PKIT_LIES_SEED={seed}\n{evidence}")),
            Verdict::Missed(evidence) => self.missed.push(format!("PKIT_LIES_SEED={seed}\n{evidence}")),
            Verdict::Ready | Verdict::NotReady => {}
        }
    }
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ready, not) = self.counts.values().fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        let Found { seed, took, lies, missed, .. } = self;
        writeln!(f, "{} starts from seed {seed} on in {took:?}: {ready} ready, {not} not", ready + not)?;
        writeln!(f, "{} false readies, {} missed", lies.len(), missed.len())?;
        for (kind, (ready, not)) in &self.counts {
            writeln!(f, "  {kind:<20} {ready:>6} ready {not:>6} not")?;
        }
        let shown = lies.iter().map(|lie| ("LIE", lie)).take(SHOWN);
        let shown = shown.chain(missed.iter().map(|missed| ("MISSED", missed)).take(SHOWN));
        shown.into_iter().try_for_each(|(what, evidence)| writeln!(f, "\n{what} {evidence}"))
    }
}

fn setting<T: FromStr>(name: &str) -> Option<T> {
    let text = env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} cannot be {text:?}")))
}
