//! The clients of a history: each is a process, does what chance says, and writes down what it does.
//!
//! A call is in the file before it is sent, and its return when the answer is there: a write is all that it takes, so that a SIGKILL
//! loses nothing. All entries have the same length; of one that was cut off nothing is read.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;

use nix::sys::signal::Signal::SIGKILL;
use nix::sys::signal::raise;
use pkit_test::{Result, State, current};
use pkit_test_tests::child::monotonic_ns;
use pkit_test_tests::seed::Seed;

use super::call::{Call, Cells, KEYS, NAMES, Op, Seen, Verb, seen, word, yes};
use super::plan::{Plan, any_op};

/// Where all of them wait for the word to begin.
pub(super) const GATE: &str = "gate";

/// In the directory of a client, for all its runs.
pub(super) const CALLS: &str = "calls";

/// One entry: 0 and a call, or 1, how many values there are in the answer, and the values.
const WORDS: usize = 8;
const CALLED: i64 = 0;
const RETURNED: i64 = 1;

/// A client. Whatever it is told that is no answer is a failure of the test.
pub(super) fn client(state: State, plan: Plan) {
    let mut record = Record::open(&current().dir().join(CALLS));
    let mut seed = Seed::new(plan.seed);
    state.latch(GATE, 1).and_then(|gate| gate.wait(super::HANG)).expect("it is opened");
    for _ in 0..plan.ops {
        let op = any_op(&mut seed, plan.mix);
        record.call(op);
        let answer = act(&state, op).unwrap_or_else(|error| panic!("{op}: {error}"));
        record.answer(&answer);
    }
}

/// Does it, and tells what was said.
fn act(state: &State, op: Op) -> Result<Vec<Seen>> {
    let (key, new) = (NAMES[op.key], op.new);
    Ok(match op.verb {
        Verb::Get => vec![state.get(key)?],
        Verb::Set => state.set(key, &new).map(|()| vec![])?,
        Verb::Remove => yes(state.remove(key)?),
        Verb::Take => vec![state.take(key)?],
        Verb::CompareAndSet => yes(state.compare_and_set(key, op.old.as_ref(), Some(&new))?),
        Verb::Increment => vec![Some(state.increment(key, new)?)],
        Verb::Update => vec![Some(state.update_or(key, 0, |number: &mut i64| {
            *number += new;
            *number
        })?)],
        Verb::Snapshot => {
            let snapshot = state.snapshot()?;
            NAMES.iter().map(|name| snapshot.get(name)).collect::<Result<_>>()?
        }
        _ => act_on_both(state, op)?,
    })
}

/// A transaction. What it has read is told also where it is rolled back.
fn act_on_both(state: &State, op: Op) -> Result<Vec<Seen>> {
    let (one, two) = (NAMES[op.key], NAMES[op.other]);
    let mut read = Vec::new();
    let done = state.transaction(|tx| {
        let mut cells = Cells::default();
        (cells[op.key], cells[op.other]) = (tx.get::<i64>(one)?, tx.get::<i64>(two)?);
        read = op.apply(&mut cells);
        if matches!(op.verb, Verb::GiveUp | Verb::Die) {
            (cells[op.key], cells[op.other]) = (Some(op.new), Some(op.new));
        }
        for at in [op.key, op.other] {
            match cells[at] {
                // What is only read is to be validated without a write.
                _ if op.verb == Verb::ReadBoth => {}
                Some(number) => tx.set(NAMES[at], &number)?,
                None => _ = tx.remove(NAMES[at])?,
            }
        }
        match op.verb {
            Verb::GiveUp => Err("it gives up".into()),
            Verb::Die => die(),
            _ => Ok(()),
        }
    });
    match done {
        Err(error) if op.verb == Verb::GiveUp && error.is_rolled_back() => Ok(read),
        done => done.map(|()| read),
    }
}

fn die() -> std::result::Result<(), Box<dyn Error + Send + Sync>> {
    Ok(raise(SIGKILL)?)
}

/// What a client writes.
struct Record(File);

impl Record {
    fn open(path: &Path) -> Record {
        Record(OpenOptions::new().append(true).create(true).open(path).expect("the directory is there"))
    }

    fn call(&mut self, op: Op) {
        let [verb, key, other, old, new] = op.to_words();
        self.write([CALLED, now(), verb, key, other, old, new, 0]);
    }

    fn answer(&mut self, answer: &[Seen]) {
        let mut words = [0; WORDS];
        words[..3].copy_from_slice(&[RETURNED, now(), answer.len() as i64]);
        words[3..3 + answer.len()].iter_mut().zip(answer).for_each(|(place, value)| *place = word(*value));
        self.write(words);
    }

    fn write(&mut self, words: [i64; WORDS]) {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        self.0.write_all(&bytes).expect("there is room");
    }
}

fn now() -> i64 {
    monotonic_ns() as i64
}

/// What a client has written down in all its runs.
pub(super) fn calls_in(path: &Path, client: usize) -> Vec<Call> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let mut calls: Vec<Call> = Vec::new();
    for entry in bytes.chunks_exact(WORDS * 8) {
        let words: Vec<i64> = entry.chunks_exact(8).map(|word| i64::from_ne_bytes(word.try_into().unwrap())).collect();
        let at_ns = words[1] as u64;
        if words[0] == CALLED {
            calls.push(Call { client, op: Op::of_words(&words[2..7]), called_ns: at_ns, returned: None });
        } else {
            let answer = words[3..].iter().take(words[2] as usize).map(|word| seen(*word)).collect();
            calls.last_mut().expect("it was called").returned = Some((at_ns, answer));
        }
    }
    calls
}

const _: () = assert!(KEYS + 3 <= WORDS, "an answer fits into an entry");
