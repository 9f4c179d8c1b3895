//! The shared state: what an operation takes, beside an echo on the same kind of socket, redis, and two of Python's; how soon a
//! watcher is woken; what its server takes.
//!
//! Clients are processes, and begin at the same moment. A value has 64 bytes. Unless it is said otherwise each client uses four keys
//! of its own, and the others are there. The time of an operation is that of all clients together: from one to the next.

use pkit_test::{State, function};
use serde_bytes::ByteBuf;

use crate::bench::Bench;
use crate::clock;
use crate::outcome::Outcome;
use crate::procfs::{self, Kind};
use crate::stats::Samples;
use crate::table::{Budget, Line, Table};

use self::echo::Echo;
use self::whose::Whose;
use self::work::{Keys, VALUE_BYTES, VERBS, Verb, Work, name};

mod echo;
mod others;
mod wake;
mod whose;
mod work;

const SAMPLES: usize = 15;
const STARTS: usize = 60;
const CLIENTS: [usize; 2] = [1, 8];
const KEYS: [usize; 3] = [1, 1_000, 10_000];
/// The time of one of the echo's: in a second 0.75 as many.
const OF_ECHO: f64 = 1.333;
/// The time of one at 1 key: in a second 0.9 as many.
const OF_ONE_KEY: f64 = 1.111;
const MEMORY_OPS: u64 = 1_000_000;
/// What pages of code that were not touched before may add, and what an allocator keeps.
const OF_MEMORY_BEFORE: f64 = 1.1;

pub(super) fn measure(bench: &Bench) -> Outcome<Vec<Table>> {
    // The first of all starts the guardian, which is another row.
    function(clock::now_ns, ()).start()?.join()?;
    let states: Vec<(State, usize)> = KEYS.iter().map(|keys| Ok((filled(*keys)?, *keys))).collect::<Outcome<_>>()?;
    let mut tables = Vec::new();
    for clients in CLIENTS {
        tables.push(beside_an_echo(bench, &states, clients)?);
    }
    tables.push(beside_one_key(bench, &states)?);
    tables.push(others::table(bench, &states)?);
    tables.push(wake::table(bench)?);
    tables.push(memory(bench)?);
    tables.push(life(bench)?);
    Ok(tables)
}

/// With so many keys.
fn filled(keys: usize) -> Outcome<State> {
    let state = State::new()?;
    let value = ByteBuf::from(vec![7; VALUE_BYTES]);
    (0..keys).try_for_each(|at| state.set(&name(at), &value))?;
    Ok(state)
}

/// For how long clients work in one sample.
fn for_ms(bench: &Bench) -> u64 {
    if bench.is_quick() { 15 } else { 100 }
}

/// The same work by all of them, one right after the other.
fn together<const N: usize>(bench: &Bench, all: [(&Whose, Work); N]) -> Outcome<[Samples; N]> {
    let mut us = [const { Vec::new() }; N];
    for _ in 0..bench.samples(SAMPLES) {
        for (us, (whose, work)) in us.iter_mut().zip(&all) {
            us.push(work.us(whose)?);
        }
    }
    Ok(us.map(|us| us.into_iter().collect()))
}

fn beside_an_echo(bench: &Bench, states: &[(State, usize)], clients: usize) -> Outcome<Table> {
    let [better, other] = echoes(bench, clients)?;
    let line = |what: String, state: &State, verb: Verb, keys: Keys| -> Outcome<Line> {
        let work = Work { verb, clients, keys, for_ms: for_ms(bench) };
        let ours = Whose::Ours(state.clone());
        let [us, of_better, of_other] = together(bench, [(&ours, work), (&better.whose, work), (&other.whose, work)])?;
        Ok(Line::new(what, us).over(better.name, of_better).over(other.name, of_other))
    };
    let mut table = Table::new(format!("state: an operation of {}, us", counted(clients, "client")));
    for verb in VERBS {
        for (state, keys) in states {
            let what = format!("{}, {}", verb.name(), counted(*keys, "key"));
            table = table.line(line(what, state, verb, Keys::Own(*keys))?.budget(Budget::Ratio(OF_ECHO)));
        }
    }
    let (state, keys) = &states[states.len() - 1];
    table = table.line(line(format!("update, each of {keys} keys in turn"), state, Verb::Update, Keys::All(*keys))?);
    if clients > 1 {
        table = table.line(line("update, all the same key".to_owned(), state, Verb::Update, Keys::Same)?);
    }
    Ok(table.note("an update is one way there and back where its process has written the key last, else two"))
}

/// A server of each kind, the quicker one first: which that is hangs on how many clients there are, and on the machine.
fn echoes(bench: &Bench, clients: usize) -> Outcome<[Echo; 2]> {
    let work = Work { verb: Verb::Get, clients, keys: Keys::Same, for_ms: for_ms(bench) };
    let (one, other) = (Echo::of_a_loop(bench)?, Echo::of_threads(bench)?);
    let [of_one, of_other] = together(bench, [(&one.whose, work), (&other.whose, work)])?;
    Ok(if of_one.median() <= of_other.median() { [one, other] } else { [other, one] })
}

/// `1 key`, `8 keys`.
fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn beside_one_key(bench: &Bench, states: &[(State, usize)]) -> Outcome<Table> {
    let ((few, one), (full, many)) = (&states[0], &states[states.len() - 1]);
    let (few, full) = (Whose::Ours(few.clone()), Whose::Ours(full.clone()));
    let mut table = Table::new(format!("state: an operation at {many} keys, us"));
    for clients in CLIENTS {
        for verb in VERBS {
            let work = |keys: usize| Work { verb, clients, keys: Keys::Own(keys), for_ms: for_ms(bench) };
            let [us, at_one] = together(bench, [(&full, work(*many)), (&few, work(*one))])?;
            let line = Line::new(format!("{}, {}", verb.name(), counted(clients, "client")), us);
            table = table.line(line.over("at 1 key", at_one).budget(Budget::Ratio(OF_ONE_KEY)));
        }
    }
    Ok(table)
}

/// Of the server, after what would fill it if it kept anything but the data.
fn memory(bench: &Bench) -> Outcome<Table> {
    let ops = if bench.is_quick() { MEMORY_OPS / 50 } else { MEMORY_OPS };
    let others = services();
    let state = filled(KEYS[1])?;
    let server = services().into_iter().find(|pid| !others.contains(pid)).ok_or("it has a server")?;
    let whose = Whose::Ours(state);
    let work = |verb: Verb| Work { verb, clients: 8, keys: Keys::Own(KEYS[1]), for_ms: for_ms(bench) };
    // What each of its clients takes is there before and after.
    VERBS.into_iter().try_for_each(|verb| work(verb).us(&whose).map(drop))?;
    let before = procfs::pss_mb(server)?;
    let mut done = 0.0;
    while done < ops as f64 {
        for verb in VERBS {
            let work = work(verb);
            done += work.for_ms as f64 * 1e3 / work.us(&whose)?;
        }
    }
    let after = procfs::pss_mb(server)?;
    let one = |mb: f64| [mb].into_iter().collect::<Samples>();
    let line =
        Line::new(format!("after {:.1} million more", done / 1e6), one(after)).over("after some thousand", one(before));
    let data_mb = (KEYS[1] * VALUE_BYTES) as f64 / 1e6;
    Ok(Table::new("state: memory of its server after set, get and update by 8 clients, PSS, MB")
        .line(line.budget(Budget::Ratio(OF_MEMORY_BEFORE)))
        .note(format!("the values are {data_mb:.3} MB; the last changes are kept for people, and no more")))
}

fn services() -> Vec<i32> {
    let own = std::process::id() as i32;
    procfs::family(own).into_iter().filter(|member| member.kind == Kind::Service).map(|member| member.pid).collect()
}

fn life(bench: &Bench) -> Outcome<Table> {
    let [mut up, mut its_up, mut down, mut its_down] = [const { Vec::new() }; 4];
    for _ in 0..bench.samples(STARTS) {
        let (took_ms, state) = clock::timed(State::new);
        let state = state?;
        up.push(took_ms);
        down.push(clock::timed(|| drop(state)).0);
        let (took_ms, worker) = clock::timed(|| function(pause, ()).start());
        let worker = worker?;
        its_up.push(took_ms);
        its_down.push(clock::timed(|| drop(worker)).0);
    }
    let samples = |values: Vec<f64>| -> Samples { values.into_iter().collect() };
    let beside = "a function that waits";
    Ok(Table::new("state: a state up and down, ms")
        .line(Line::new("State::new()", samples(up)).over(beside, samples(its_up)))
        .line(Line::new("drop", samples(down)).over(beside, samples(its_down))))
}

fn pause() {
    nix::unistd::pause();
}
