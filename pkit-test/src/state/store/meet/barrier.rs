//! Barriers: nobody goes on before all are there.
//!
//! A round that can no longer be full is broken: whoever waits in it is told at once, and so is whoever comes later, until somebody
//! takes the place of the one who is gone. Else it would hang on the order of a death and an arrival whether a test hears the reason
//! or waits in vain.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::super::protocol::{BarrierAct, Refusal, Reply, Who};
use super::super::history::Event;
use super::super::machine::{Answer, Asker, Store, malformed, number};
use super::super::park::Lot;
use super::super::sessions::{Holding, SessionId};
use super::super::words::{Facts, all_called, called, fact, name as shown};

#[derive(Debug)]
pub(super) struct Barrier {
    parties: u64,
    made_by: Who,
    /// How often each session has opened it without leaving. Those that have left stay in it, with 0: they are nobody new.
    taking_part: HashMap<SessionId, u64>,
    /// Who has died and leaves a place that nobody has taken.
    gone: Option<Who>,
}

impl Store {
    pub(in super::super) fn barrier(&mut self, asker: Asker, name: &Arc<str>, act: BarrierAct) -> Answer {
        let lot = Lot::Barrier(Arc::clone(name));
        match act {
            BarrierAct::Open { parties } => self.open_barrier(asker, name, parties).into(),
            _ if !self.meet.barriers.contains_key(name) => unmade(name).into(),
            BarrierAct::Arrive { timeout } => self.arrive(name, lot, timeout),
            BarrierAct::Leave => self.leave_barrier(asker, name).into(),
            BarrierAct::Waiting => number(self.parked.len(&lot)).into(),
        }
    }

    fn open_barrier(&mut self, asker: Asker, name: &Arc<str>, parties: u64) -> Reply {
        if parties == 0 {
            return malformed(format!("the barrier `{}` is for nobody", shown(name)));
        }
        if !self.meet.barriers.contains_key(name) {
            if let Err(refusal) = self.make(name) {
                return Reply::Refused(refusal);
            }
            let made_by = self.sessions.who(asker.session).clone();
            let barrier = Barrier { parties, made_by, taking_part: HashMap::new(), gone: None };
            self.meet.barriers.insert(Arc::clone(name), barrier);
        }
        let barrier = self.meet.barriers.get_mut(name).expect("it was made if it was not there");
        if barrier.parties != parties {
            return Reply::Refused(Refusal::Differs {
                made: barrier.parties,
                asked: parties,
                by: barrier.made_by.clone(),
            });
        }
        barrier.take_part(asker.session);
        self.sessions.holds(asker.session).insert(Holding::Barrier(Arc::clone(name)));
        Reply::Done { version: self.version }
    }

    fn arrive(&mut self, name: &Arc<str>, lot: Lot, timeout: Duration) -> Answer {
        let barrier = &self.meet.barriers[name];
        if let Some(gone) = &barrier.gone {
            return broken(gone, "died").into();
        }
        let before = self.parked.len(&lot);
        if before + 1 < barrier.parties {
            return Answer::Later(lot, Some(timeout));
        }
        for (place, link) in (0..).zip(self.all_in(&lot)) {
            self.let_on(link, Reply::Number(place));
        }
        number(before).into()
    }

    fn leave_barrier(&mut self, asker: Asker, name: &Arc<str>) -> Reply {
        let barrier = self.meet.barriers.get_mut(name).expect("it was looked for before");
        if let Some(times) = barrier.taking_part.get_mut(&asker.session) {
            *times = times.saturating_sub(1);
        }
        Reply::Done { version: self.version }
    }

    /// One who was waited for does not come, or not in this round.
    pub(super) fn break_round(&mut self, name: &Arc<str>, by: &Who, why: &'static str, now: Instant) {
        let waiting = self.all_in(&Lot::Barrier(Arc::clone(name)));
        if waiting.is_empty() {
            return;
        }
        self.history.note(by, Event::Broke { name: Arc::clone(name), why }, now);
        for link in waiting {
            self.let_on(link, broken(by, why));
        }
    }

    pub(super) fn left_barrier(&mut self, name: &Arc<str>, session: SessionId, who: &Who, now: Instant) {
        let barrier = self.meet.barriers.get_mut(name).expect("barriers stay");
        let took_part = barrier.taking_part.remove(&session).is_some_and(|times| times > 0);
        if !took_part {
            return;
        }
        let left = barrier.taking_part.values().fold(0, |sum: u64, times| sum.saturating_add(*times));
        if left < barrier.parties {
            barrier.gone = Some(who.clone());
        }
        self.break_round(name, who, "died", now);
    }

    pub(in super::super) fn barrier_facts(&self, name: &Arc<str>) -> Facts {
        let Some(barrier) = self.meet.barriers.get(name) else { return Vec::new() };
        let lot = Lot::Barrier(Arc::clone(name));
        let here = format!("{} of {}: {}", self.parked.len(&lot), barrier.parties, all_called(self.whos_in(&lot)));
        let absent = barrier.gone.iter().map(|who| fact("gone", format!("{} died", called(who))));
        [fact("here", here)].into_iter().chain(absent).collect()
    }
}

impl Barrier {
    #[cfg(test)]
    pub(super) fn check(&self, waiting: u64) {
        assert!(waiting < self.parties && (self.gone.is_none() || waiting == 0));
    }

    fn take_part(&mut self, session: SessionId) {
        let times = self.taking_part.entry(session).or_insert_with(|| {
            self.gone = None;
            0
        });
        *times = times.saturating_add(1);
    }
}

fn broken(by: &Who, why: &str) -> Reply {
    Reply::Refused(Refusal::Broken { by: by.clone(), why: why.to_owned() })
}

fn unmade(name: &str) -> Reply {
    malformed(format!("nobody has made the barrier `{}`", shown(name)))
}
