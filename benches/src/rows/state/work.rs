//! The clients: processes that do one thing over and over, beginning at the same moment, and count.

use std::time::Duration;

use pkit_test::workers;
use serde::{Deserialize, Serialize};

use super::whose::Whose;
use crate::clock;
use crate::outcome::Outcome;

/// What is done over and over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Verb {
    Set,
    Get,
    /// Reads, changes and writes, so that nobody comes in between.
    Update,
}

pub(super) const VERBS: [Verb; 3] = [Verb::Set, Verb::Get, Verb::Update];

impl Verb {
    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Set => "set",
            Verb::Get => "get",
            Verb::Update => "update",
        }
    }
}

/// Which keys a client uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Keys {
    /// Some of its own, out of so many that are there.
    Own(usize),
    /// Each of so many, one after the other.
    All(usize),
    /// All clients the same one.
    Same,
}

/// As many as a client has of its own, where there are enough.
const OWN: usize = 4;

/// What is measured in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Work {
    pub(super) verb: Verb,
    pub(super) clients: usize,
    pub(super) keys: Keys,
    pub(super) for_ms: u64,
}

/// As bytes of a value that people would have.
pub(super) const VALUE_BYTES: usize = 64;

/// So that connections and whatever is remembered are there when it begins.
const WARM_UP: usize = 40;

/// Until all clients are up.
const LEAD: Duration = Duration::from_millis(15);

impl Work {
    /// From the beginning to the end, in us for each operation of all clients together.
    pub(super) fn us(self, whose: &Whose) -> Outcome<f64> {
        let begin_ns = clock::now_ns() + LEAD.as_nanos() as u64;
        let all = workers(self.clients, client, |index| (whose.clone(), self, index, begin_ns)).start()?;
        let mut per_second = 0.0;
        for worker in &all {
            per_second += worker.join()??;
        }
        Ok(1e6 / per_second)
    }

    /// The names of the keys of a client.
    fn names(self, index: usize) -> Vec<String> {
        let own = |at: usize| index + at * self.clients;
        match self.keys {
            Keys::Same => vec![name(0)],
            Keys::All(count) => (0..count).map(name).collect(),
            Keys::Own(count) => {
                let own: Vec<String> = (0..OWN).map(own).filter(|at| *at < count).map(name).collect();
                if own.is_empty() { vec![name(index)] } else { own }
            }
        }
    }
}

pub(super) fn name(at: usize) -> String {
    format!("key {at}")
}

/// In a process: how often it did it in a second.
fn client(whose: Whose, work: Work, index: usize, begin_ns: u64) -> Result<f64, String> {
    counted(&whose, work, index, begin_ns).map_err(|error| error.to_string())
}

fn counted(whose: &Whose, work: Work, index: usize, begin_ns: u64) -> Outcome<f64> {
    let mut client = whose.client()?;
    let names = work.names(index);
    let mut names = names.iter().cycle();
    let mut once = || client.act(work.verb, names.next().ok_or("there is a key")?);
    (0..WARM_UP).try_for_each(|_| once())?;
    clock::pause(Duration::from_nanos(begin_ns.saturating_sub(clock::now_ns())));
    let (began_ns, mut times) = (clock::now_ns(), 0);
    while clock::now_ns() - began_ns < work.for_ms * 1_000_000 {
        once()?;
        times += 1;
    }
    Ok(f64::from(times) * 1e3 / clock::since_ms(began_ns))
}
