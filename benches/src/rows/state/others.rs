//! The same by others: redis over a unix socket, the dictionary of a manager of Python's `multiprocessing`, and ZProc.

use std::process::Command;
use std::time::Duration;

use pkit_test::{Process, Spec, State, unix};

use super::whose::Whose;
use super::work::{Keys, VERBS, Verb, Work, name};
use super::{CLIENTS, counted, for_ms};
use crate::bench::Bench;
use crate::outcome::Outcome;
use crate::peers::interpreter;
use crate::stats::Samples;
use crate::table::{Line, Table};

const SAMPLES: usize = 5;

pub(super) fn table(bench: &Bench, states: &[(State, usize)]) -> Outcome<Table> {
    let mut others = Others::start()?;
    let mut table = Table::new("state: an operation, beside others, us");
    let (few, many) = (&states[0], &states[states.len() - 1]);
    for ((state, keys), clients) in [(few, CLIENTS[0]), (few, CLIENTS[1]), (many, CLIENTS[0])] {
        for verb in VERBS {
            let work = Work { verb, clients, keys: Keys::Own(*keys), for_ms: for_ms(bench) };
            table = table.line(others.line(bench, &Whose::Ours(state.clone()), work, *keys)?);
        }
    }
    let note = "redis updates by WATCH, GET, MULTI, SET, EXEC, the manager with its lock, ZProc by an atomic function";
    Ok(others.missing.into_iter().fold(table.note(note), Table::note))
}

/// Who is there on this machine, and why somebody is not.
struct Others {
    redis: Option<Process>,
    pythons: Vec<Python>,
    missing: Vec<String>,
}

impl Others {
    fn start() -> Outcome<Others> {
        let mut others = Others { redis: None, pythons: Vec::new(), missing: Vec::new() };
        if Command::new("redis-server").arg("--version").output().is_ok() {
            let redis = "redis-server --port 0 --save '' --unixsocket {dir}/s";
            others.redis = Some(unix(redis, "{dir}/s").start()?);
        } else {
            others.missing.push("there is no redis-server on this machine".to_owned());
        }
        for (name, package) in [("a manager's dict", "manager"), ("ZProc", "zproc")] {
            match Python::start(name, package)?.map(|mut python| python.per_second(Verb::Get, 1, 1, 1).map(|_| python))
            {
                Some(Ok(python)) => others.pythons.push(python),
                Some(Err(why)) => others.missing.push(format!("without {name}: {why}")),
                None => others.missing.push(format!("without {name}: `cargo xtask peers` makes its environment")),
            }
        }
        Ok(others)
    }

    fn line(&mut self, bench: &Bench, ours: &Whose, work: Work, keys: usize) -> Outcome<Line> {
        let redis = self.redis.as_ref().map(|redis| Whose::Redis(redis.dir().join("s")));
        if let Some(redis) = &redis {
            redis.fill(keys)?;
        }
        let (mut us, mut of_redis) = (Samples::default(), Samples::default());
        let mut of_pythons = vec![Samples::default(); self.pythons.len()];
        for _ in 0..bench.samples(SAMPLES) {
            us.push(work.us(ours)?);
            if let Some(redis) = &redis {
                of_redis.push(work.us(redis)?);
            }
            for (python, samples) in self.pythons.iter_mut().zip(&mut of_pythons) {
                samples.push(1e6 / python.per_second(work.verb, work.clients, keys, work.for_ms)?);
            }
        }
        let what = format!("{}, {}, {}", work.verb.name(), counted(work.clients, "client"), counted(keys, "key"));
        let line = Line::new(what, us);
        let line = if redis.is_some() { line.over("redis", of_redis) } else { line };
        let pythons = self.pythons.iter().zip(of_pythons);
        Ok(pythons.fold(line, |line, (python, samples)| line.over(python.name, samples)))
    }
}

impl Whose {
    /// Has so many keys from now on.
    fn fill(&self, keys: usize) -> Outcome<()> {
        let mut client = self.client()?;
        (0..keys).try_for_each(|at| client.act(Verb::Set, &name(at)))
    }
}

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/state.py");
const LIMIT: Duration = Duration::from_secs(60);

/// An interpreter with one of them. What it starts by itself ends with it, as it is a process of ours.
struct Python {
    name: &'static str,
    process: Process,
    asked: u32,
}

impl Python {
    /// `None` where nobody has made the environment.
    fn start(name: &'static str, package: &str) -> Outcome<Option<Python>> {
        let Some(program) = interpreter() else { return Ok(None) };
        let process = Spec::program(program).args(["-W", "ignore", SCRIPT, package]).start()?;
        Ok(Some(Python { name, process, asked: 0 }))
    }

    /// How often it does that, all clients together; or why it cannot.
    fn per_second(&mut self, verb: Verb, clients: usize, keys: usize, for_ms: u64) -> Outcome<f64> {
        self.asked += 1;
        let asked = self.asked;
        self.process.write_stdin(format!("{asked}\t{}\t{clients}\t{keys}\t{for_ms}\n", verb.name()))?;
        let answer = self.process.wait_for_output(format!("^{asked} (failed )?(.*) over$"), LIMIT)?;
        let said = answer.group(2).unwrap_or_default();
        if answer.group(1).is_some() { Err(said.into()) } else { Ok(said.parse()?) }
    }
}
