//! The machine as whoever carries its answers sees it: what is said to the one who asks, and then to others.
//!
//! Three processes, `a` with two links, and a clock that goes as far as a test says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::packed;
use super::super::protocol::*;
use super::{LinkId, Store};
use crate::function::codec;

mod values;
mod turns;
mod parking;

mod watching;
mod refusals;
mod meeting;
mod deaths;
mod histories;
mod random;

const A: LinkId = 10;
const A2: LinkId = 11;
const B: LinkId = 20;
const C: LinkId = 30;

const SECOND: Duration = Duration::from_secs(1);

struct Bed {
    store: Store,
    now: Instant,
}

impl Bed {
    /// `a` to `c` are there, as 1 to 3.
    fn new() -> Bed {
        let now = Instant::now();
        let mut store = Store::new(now);
        for (session, name) in [(1, "a"), (2, "b"), (3, "c")] {
            store.enter(session, who(name, session as u32));
        }
        for link in [A, A2, B, C] {
            store.open(link, link / 10);
        }
        Bed { store, now }
    }

    /// Whatever is said because of it: `done; B: 5`. Nothing is said to one who waits.
    fn ask(&mut self, link: LinkId, request: Request) -> String {
        let reply = self.store.ask(link, request, self.now);
        let own = reply.as_ref().map_or_else(|| "(waits)".to_owned(), shown);
        [own].into_iter().chain(self.others()).collect::<Vec<_>>().join("; ")
    }

    /// To whom it makes no difference what is said.
    fn given(mut self, link: LinkId, request: Request) -> Bed {
        self.ask(link, request);
        self
    }

    fn close(&mut self, link: LinkId) -> String {
        self.store.close(link, self.now);
        self.said()
    }

    fn leave(&mut self, session: u64) -> String {
        self.store.leave(session, self.now);
        self.said()
    }

    /// Time goes by.
    fn pass(&mut self, time: Duration) -> String {
        self.now += time;
        self.store.tick(self.now);
        self.said()
    }

    fn said(&mut self) -> String {
        self.others().collect::<Vec<_>>().join("; ")
    }

    fn others(&mut self) -> impl Iterator<Item = String> {
        let said: Vec<_> = self.store.replies().collect();
        said.into_iter().map(|(link, reply)| format!("{}: {}", called(link), shown(&reply)))
    }
}

fn called(link: LinkId) -> &'static str {
    match link {
        A => "A",
        A2 => "A2",
        B => "B",
        C => "C",
        _ => "?",
    }
}

fn shown(reply: &Reply) -> String {
    match reply {
        Reply::Value { held, .. } => there(held.as_ref()),
        Reply::Names { names, .. } => format!("[{}]", names.join(", ")),
        Reply::Entries { entries, .. } => {
            let entries = entries.iter().map(|(name, held)| format!("{name} = {}", there(Some(held))));
            format!("{{{}}}", entries.collect::<Vec<_>>().join(", "))
        }
        Reply::Number(number) => number.to_string(),
        Reply::Done { .. } => "done".to_owned(),
        Reply::NotDone { held } => format!("not done: {}", there(held.as_ref())),
        Reply::Moved => "moved".to_owned(),
        Reply::Changes(changes) => changes.iter().map(changed).collect::<Vec<_>>().join(", "),
        Reply::Granted { permit, after } => format!("permit {permit}{}", died(after.as_ref())),
        Reply::Item { value, lease, after } => {
            let lease = lease.map_or_else(String::new, |lease| format!(" as lease {lease}"));
            format!("item {}{lease}{}", packed::shown(&value.bytes, 40), died(after.as_ref()))
        }
        Reply::Standing(whos) => {
            format!("standing: {}", whos.iter().map(|who| &*who.name).collect::<Vec<_>>().join(" "))
        }
        Reply::Late { facts } => {
            let facts = facts.iter().map(|(name, value)| format!("{name}: {value}"));
            format!("late ({})", facts.collect::<Vec<_>>().join(" | "))
        }
        Reply::Refused(refusal) => refused(refusal),
        Reply::Welcome { .. } => "welcome".to_owned(),
    }
}

fn refused(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Malformed(why) => format!("no: {why}"),
        Refusal::NotANumber { held } => format!("no number: {}", there(Some(held))),
        Refusal::OutOfRange { held, by } => format!("out of range: {held} + {by}"),
        Refusal::TooLarge { bytes, limit } => format!("too large: {bytes} of {limit}"),
        Refusal::Differs { made, asked, by } => format!("made for {made} by {}, not for {asked}", by.name),
        Refusal::Broken { by, why } => format!("broken by {}: {why}", by.name),
        Refusal::Closed { by } => format!("closed by {}", by.name),
        Refusal::Overflow { missed } => format!("missed {missed}"),
        Refusal::OtherProtocol(_) => "another protocol".to_owned(),
    }
}

fn there(held: Option<&Held>) -> String {
    held.map_or_else(
        || "none".to_owned(),
        |held| format!("{} by {}", packed::shown(&held.value.bytes, 40), held.by.name),
    )
}

fn changed(change: &Change) -> String {
    let first = if change.is_first { "first " } else { "" };
    match &change.value {
        Some(value) => format!("{first}{} = {}", change.key.name, packed::shown(&value.bytes, 40)),
        None => format!("{first}{} gone", change.key.name),
    }
}

fn died(after: Option<&Who>) -> String {
    after.map_or_else(String::new, |who| format!(", {} died with it", who.name))
}

fn who(name: &str, pid: u32) -> Who {
    Who { name: name.into(), pid }
}

fn key(name: &str) -> Key {
    Key { space: "".into(), name: name.into() }
}

fn int(number: i64) -> Value {
    let mut bytes = Vec::new();
    codec::append(&mut bytes, 9, &number).expect("an integer has 9 bytes at most");
    Value { type_name: "i64".into(), bytes: bytes.into() }
}

fn raw(type_name: &str, bytes: &[u8]) -> Value {
    Value { type_name: type_name.into(), bytes: bytes.into() }
}

fn get(name: &str) -> Request {
    Request::Get { key: key(name), since: None }
}

fn set(name: &str, number: i64) -> Request {
    Request::Set { key: key(name), value: int(number), only: Only::Always }
}

fn remove(name: &str) -> Request {
    Request::Remove { key: key(name) }
}

fn increment(name: &str, by: i64) -> Request {
    Request::Increment { key: key(name), by }
}

/// Writes, and removes what has no number.
fn commit(reads: &[(&str, Version)], writes: &[(&str, Option<i64>)]) -> Request {
    let reads = reads.iter().map(|(name, version)| (key(name), *version)).collect();
    let writes = writes.iter().map(|(name, number)| (key(name), number.map(int))).collect();
    Request::Commit(Commit { reads, lists: Vec::new(), writes })
}

fn turn() -> Request {
    Request::Turn { timeout: SECOND * 5 }
}

fn watch(names: &[&str]) -> Request {
    Request::Watch { space: "".into(), keys: arcs(names), is_live: false, with_first: false }
}

fn next() -> Request {
    Request::Next { timeout: Some(SECOND) }
}

fn arcs(names: &[&str]) -> Vec<Arc<str>> {
    names.iter().map(|name| Arc::from(*name)).collect()
}

fn barrier(act: BarrierAct) -> Request {
    Request::Barrier { name: "bar".into(), act }
}

fn latch(act: LatchAct) -> Request {
    Request::Latch { name: "lat".into(), act }
}

fn semaphore(act: SemaphoreAct) -> Request {
    Request::Semaphore { name: "sem".into(), act }
}

fn queue(act: QueueAct) -> Request {
    Request::Queue { name: "que".into(), act }
}

fn phase(act: PhaseAct) -> Request {
    Request::Phase { name: "pha".into(), act }
}

fn arrive() -> Request {
    barrier(BarrierAct::Arrive { timeout: SECOND })
}

fn acquire() -> Request {
    semaphore(SemaphoreAct::Acquire { timeout: Some(SECOND) })
}

fn push(number: i64) -> Request {
    queue(QueueAct::Push { value: int(number) })
}

fn pop() -> Request {
    queue(QueueAct::Pop { timeout: Some(SECOND) })
}

fn lease() -> Request {
    queue(QueueAct::Lease { timeout: Some(SECOND) })
}

fn pass(step: &str) -> Request {
    phase(PhaseAct::Pass { step: step.into(), timeout: SECOND })
}

fn wait_for(step: &str, count: u64) -> Request {
    phase(PhaseAct::WaitFor { step: step.into(), count, timeout: SECOND })
}

fn let_on(step: &str, count: Option<u64>) -> Request {
    phase(PhaseAct::LetOn { step: step.into(), count })
}
