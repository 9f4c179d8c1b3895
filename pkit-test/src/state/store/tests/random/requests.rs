//! Requests by chance, of which most make sense: few names, so that they meet.

use std::sync::Arc;
use std::time::Duration;

use super::super::super::super::protocol::*;
use super::super::{increment, key, remove};
use super::int;
use super::model::Model;

/// A generator of Marsaglia's, xorshift64.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn is_one_in(&mut self, many: u64) -> bool {
        self.below(many) == 0
    }

    fn name(&mut self) -> &'static str {
        ["a", "b", "c", "d"][self.below(4) as usize]
    }

    /// At once, soon, or much later.
    fn timeout(&mut self) -> Duration {
        [Duration::ZERO, Duration::from_millis(300), Duration::from_secs(5)][self.below(3) as usize]
    }

    fn some_timeout(&mut self) -> Option<Duration> {
        (!self.is_one_in(4)).then(|| self.timeout())
    }

    fn only(&mut self, model: &Model, name: &str) -> Only {
        match self.below(6) {
            0 => Only::IfAbsent,
            1 => Only::IfPresent,
            2 => Only::IfVersion(model.version(&key(name)) + self.below(2)),
            _ => Only::Always,
        }
    }
}

pub(super) fn request(numbers: &mut Numbers, model: &Model) -> Request {
    match numbers.below(24) {
        0 | 1 => set(numbers, model),
        2 => Request::Replace { key: key(numbers.name()), value: int(numbers.below(100) as i64), only: Only::Always },
        3 => remove(numbers.name()),
        4 => increment(numbers.name(), numbers.below(9) as i64 - 4),
        5 => {
            if numbers.is_one_in(4) {
                Request::Clear { space: "".into() }
            } else {
                Request::Len { space: "".into() }
            }
        }
        6..9 => commit(numbers, model),
        9 => Request::Turn { timeout: numbers.timeout() },
        10 => Request::EndTurn,
        11 => Request::Get {
            key: key(numbers.name()),
            since: numbers.is_one_in(2).then(|| model.some_version(numbers.below(5))),
        },
        12 => Request::Snapshot { space: "".into(), since: None },
        13 => watch(numbers),
        14 => Request::Next { timeout: numbers.some_timeout() },
        15 => wait(numbers, model),
        16 => Request::Barrier { name: "x".into(), act: barrier(numbers) },
        17 => Request::Latch { name: ["x", "y"][numbers.below(2) as usize].into(), act: latch(numbers) },
        18 | 19 => Request::Semaphore { name: "x".into(), act: semaphore(numbers) },
        20 | 21 => Request::Queue { name: if numbers.is_one_in(9) { "y" } else { "x" }.into(), act: queue(numbers) },
        _ => Request::Phase { name: "x".into(), act: phase(numbers) },
    }
}

fn set(numbers: &mut Numbers, model: &Model) -> Request {
    let name = numbers.name();
    let only = numbers.only(model, name);
    Request::Set { key: key(name), value: int(numbers.below(1000) as i64), only }
}

/// What it has read may be so no longer.
fn commit(numbers: &mut Numbers, model: &Model) -> Request {
    let mut commit = Commit::default();
    for _ in 0..numbers.below(3) {
        let read = key(numbers.name());
        let version = model.version(&read);
        commit.reads.push((read, if numbers.is_one_in(8) { version + 1 } else { version }));
    }
    if numbers.is_one_in(4) {
        commit.lists.push(("".into(), model.some_version(numbers.below(5))));
    }
    for _ in 0..numbers.below(4) {
        let value = (!numbers.is_one_in(3)).then(|| int(numbers.below(1000) as i64));
        commit.writes.push((key(numbers.name()), value));
    }
    Request::Commit(commit)
}

fn watch(numbers: &mut Numbers) -> Request {
    let keys: Vec<Arc<str>> = (0..numbers.below(3)).map(|_| numbers.name().into()).collect();
    Request::Watch { space: "".into(), keys, is_live: numbers.is_one_in(2), with_first: numbers.is_one_in(2) }
}

fn wait(numbers: &mut Numbers, model: &Model) -> Request {
    let name = key(numbers.name());
    let until = match numbers.below(3) {
        0 => Until::Present,
        1 => Until::Absent,
        _ => Until::After(model.version(&name)),
    };
    Request::Wait { key: name, until, timeout: numbers.timeout() }
}

fn barrier(numbers: &mut Numbers) -> BarrierAct {
    match numbers.below(8) {
        0..3 => BarrierAct::Open { parties: 2 },
        3 => BarrierAct::Leave,
        4 => BarrierAct::Waiting,
        _ => BarrierAct::Arrive { timeout: numbers.timeout() },
    }
}

fn latch(numbers: &mut Numbers) -> LatchAct {
    match numbers.below(6) {
        0 => LatchAct::Open { count: 50 },
        1 | 2 => LatchAct::CountDown { by: 1 },
        3 => LatchAct::Count,
        _ => LatchAct::Wait { timeout: numbers.timeout() },
    }
}

fn semaphore(numbers: &mut Numbers) -> SemaphoreAct {
    match numbers.below(10) {
        0 => SemaphoreAct::Open { permits: 2 },
        1 => SemaphoreAct::Free,
        2..6 => SemaphoreAct::Acquire { timeout: numbers.some_timeout() },
        _ => SemaphoreAct::Release { permit: 1 + numbers.below(200) },
    }
}

fn queue(numbers: &mut Numbers) -> QueueAct {
    match numbers.below(20) {
        0..7 => QueueAct::Push { value: int(numbers.below(1 << 40) as i64) },
        7..10 => QueueAct::Pop { timeout: numbers.some_timeout() },
        10..13 => QueueAct::Lease { timeout: numbers.some_timeout() },
        13..18 => QueueAct::Settle { lease: 1 + numbers.below(300), is_done: numbers.is_one_in(2) },
        18 => QueueAct::Len,
        _ if numbers.is_one_in(40) => QueueAct::Close,
        _ => QueueAct::Len,
    }
}

fn phase(numbers: &mut Numbers) -> PhaseAct {
    let step: Arc<str> = numbers.name().into();
    match numbers.below(12) {
        0..4 => PhaseAct::Pass { step, timeout: numbers.timeout() },
        4..7 => PhaseAct::WaitFor { step, count: numbers.below(4), timeout: numbers.timeout() },
        7..9 => PhaseAct::LetOn { step, count: Some(numbers.below(3)) },
        9 => PhaseAct::LetOn { step, count: None },
        10 if numbers.is_one_in(10) => PhaseAct::Open { step },
        _ => PhaseAct::Standing { step },
    }
}
