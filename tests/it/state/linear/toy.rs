//! Registers that are simulated in this process, sound ones and broken ones: the checker has to tell them from each other.

use pkit_test_tests::seed::Seed;

use super::call::{Call, Cells, Op, Seen, Verb};
use super::checker::check;
use super::plan::{Mix, any_op};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// A client is told what it could have been told the last time.
    StaleReads,
    /// Between the read and the write of an increment there is room for another one.
    LostUpdates,
    /// What is rolled back was to be seen meanwhile.
    DirtyReads,
    /// A transaction sees one key earlier than the other.
    TornReads,
    /// One of eight is answered and not done.
    ForgottenWrites,
    /// A client that dies leaves the half of a transaction.
    HalfDone,
}

const CLIENTS: usize = 5;
const TURNS: u64 = 400;

/// A call on its way, in two steps.
struct Running {
    at: usize,
    half: Option<Cells>,
}

struct Toy {
    fault: Fault,
    seed: Seed,
    cells: Cells,
    calls: Vec<Call>,
    /// What each client could see when it was last asked.
    last: [Cells; CLIENTS],
}

/// Whatever it does, one step at a time, and whose step is next is chance. Who has not returned at the end is dead.
fn history(fault: Fault, seed: u64, mix: Mix) -> Vec<Call> {
    let mut toy =
        Toy { fault, seed: Seed::new(seed), cells: Cells::default(), calls: Vec::new(), last: Default::default() };
    let mut running: [Option<Running>; CLIENTS] = Default::default();
    for now in 0..TURNS {
        let client = toy.seed.below(CLIENTS as u64) as usize;
        running[client] = match running[client].take() {
            None => Some(toy.begun(client, now, mix)),
            Some(Running { at, half: None }) => Some(Running { at, half: Some(toy.half(at)) }),
            Some(Running { at, half: Some(half) }) => toy.ended(at, half, now),
        };
    }
    toy.calls
}

impl Toy {
    fn begun(&mut self, client: usize, now: u64, mix: Mix) -> Running {
        let op = any_op(&mut self.seed, mix);
        self.calls.push(Call { client, op, called_ns: now, returned: None });
        Running { at: self.calls.len() - 1, half: None }
    }

    fn half(&mut self, at: usize) -> Cells {
        let (seen, op) = (self.cells, self.calls[at].op);
        let shows = self.fault == Fault::DirtyReads && op.verb == Verb::GiveUp;
        if shows || (self.fault == Fault::HalfDone && op.verb == Verb::Die) {
            self.cells[op.key] = Some(op.new);
        }
        seen
    }

    /// A call that has died goes on for ever.
    fn ended(&mut self, at: usize, half: Cells, now: u64) -> Option<Running> {
        let (op, client) = (self.calls[at].op, self.calls[at].client);
        if op.verb == Verb::Die {
            return None;
        }
        let answer = self.answered(op, half, self.last[client]);
        self.last[client] = self.cells;
        self.calls[at].returned = Some((now, answer));
        None
    }

    fn answered(&mut self, op: Op, mut half: Cells, mut last: Cells) -> Vec<Seen> {
        match (self.fault, op.verb) {
            (Fault::StaleReads, Verb::Get) => op.apply(&mut last),
            (Fault::LostUpdates, Verb::Increment) => {
                let answer = op.apply(&mut half);
                self.cells[op.key] = half[op.key];
                answer
            }
            (Fault::DirtyReads, Verb::GiveUp) => {
                self.cells[op.key] = half[op.key];
                op.apply(&mut half)
            }
            (Fault::TornReads, Verb::ReadBoth) => vec![half[op.key], self.cells[op.other]],
            (Fault::ForgottenWrites, Verb::Set) if self.seed.below(8) == 0 => vec![],
            _ => op.apply(&mut self.cells),
        }
    }
}

const MIXES: [Mix; 3] = [
    Mix { keys: 2, has_pairs: false, has_snapshots: false },
    Mix { keys: 2, has_pairs: true, has_snapshots: false },
    Mix { keys: 4, has_pairs: true, has_snapshots: true },
];

/// How many of so many histories are refused.
fn refused(fault: Fault, histories: u64) -> usize {
    let all = (0..histories).map(|seed| history(fault, seed, MIXES[(seed % 3) as usize]));
    all.filter(|calls| check(calls).is_err()).count()
}

#[test]
fn a_sound_register_is_never_refused() {
    assert_eq!(refused(Fault::None, 150), 0);
}

#[test]
fn each_fault_is_found() {
    let faults = [
        Fault::StaleReads,
        Fault::LostUpdates,
        Fault::DirtyReads,
        Fault::TornReads,
        Fault::ForgottenWrites,
        Fault::HalfDone,
    ];
    let found = faults.map(|fault| (fault, refused(fault, 30)));
    // Two thirds of the histories have transactions; by chance some have nothing that shows.
    assert!(found.iter().all(|(_, times)| *times >= 8), "of 30 histories each: {found:?}");
}
