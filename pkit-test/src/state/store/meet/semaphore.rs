//! Semaphores: so many at a time, and no more.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::super::protocol::{Refusal, Reply, SemaphoreAct, Who};
use super::super::history::Event;
use super::super::machine::{Answer, Asker, Store, malformed, number};
use super::super::park::Lot;
use super::super::sessions::{Holding, SessionId};
use super::super::words::{Facts, all_called, fact, name as shown};

#[derive(Debug)]
pub(super) struct Semaphore {
    permits: u64,
    made_by: Who,
    /// Who has which. Numbers are never used twice, so that one who lets go late lets go of nothing.
    held: BTreeMap<u64, (SessionId, Who)>,
    given: u64,
    /// Who has died with a permit that is free since. Those permits are given first: somebody is to know.
    died: VecDeque<Who>,
}

impl Store {
    pub(in super::super) fn semaphore(&mut self, asker: Asker, name: &Arc<str>, act: SemaphoreAct) -> Answer {
        if let SemaphoreAct::Open { permits } = act {
            return self.open_semaphore(asker, name, permits).into();
        }
        let Some(semaphore) = self.meet.semaphores.get(name) else {
            return malformed(format!("nobody has made the semaphore `{}`", shown(name))).into();
        };
        match act {
            SemaphoreAct::Acquire { timeout } if semaphore.free() == 0 => self.acquire_later(name, timeout),
            SemaphoreAct::Acquire { .. } => self.grant(asker, name).into(),
            SemaphoreAct::Release { permit } => self.release(asker, name, permit).into(),
            SemaphoreAct::Free => number(semaphore.free()).into(),
            SemaphoreAct::Open { .. } => Reply::Done { version: self.version }.into(),
        }
    }

    fn open_semaphore(&mut self, asker: Asker, name: &Arc<str>, permits: u64) -> Reply {
        if permits == 0 {
            return malformed(format!("the semaphore `{}` has no permits", shown(name)));
        }
        if !self.meet.semaphores.contains_key(name) {
            if let Err(refusal) = self.make(name) {
                return Reply::Refused(refusal);
            }
            let made_by = self.sessions.who(asker.session).clone();
            let semaphore = Semaphore { permits, made_by, held: BTreeMap::new(), given: 0, died: VecDeque::new() };
            self.meet.semaphores.insert(Arc::clone(name), semaphore);
        }
        let Semaphore { permits: made, made_by, .. } = &self.meet.semaphores[name];
        if *made == permits {
            Reply::Done { version: self.version }
        } else {
            Reply::Refused(Refusal::Differs { made: *made, asked: permits, by: made_by.clone() })
        }
    }

    fn acquire_later(&self, name: &Arc<str>, timeout: Option<Duration>) -> Answer {
        match timeout {
            Some(_) => Answer::Later(Lot::Semaphore(Arc::clone(name)), timeout),
            None => Reply::Late { facts: self.semaphore_facts(name) }.into(),
        }
    }

    fn grant(&mut self, asker: Asker, name: &Arc<str>) -> Reply {
        let who = self.sessions.who(asker.session);
        let semaphore = self.meet.semaphores.get_mut(name).expect("it was looked for before");
        semaphore.given += 1;
        let (permit, after) = (semaphore.given, semaphore.died.pop_front());
        semaphore.held.insert(permit, (asker.session, who.clone()));
        self.history.note(who, Event::Acquired { name: Arc::clone(name) }, asker.now);
        self.holds(asker, Holding::Permit(Arc::clone(name), permit));
        Reply::Granted { permit, after }
    }

    pub(in super::super) fn release(&mut self, asker: Asker, name: &Arc<str>, permit: u64) -> Reply {
        let semaphore = self.meet.semaphores.get_mut(name).expect("it was looked for before");
        match semaphore.held.get(&permit) {
            None => {}
            Some((session, _)) if *session != asker.session => {
                return malformed(format!("permit {permit} of `{}` is somebody else's", shown(name)));
            }
            Some(_) => {
                semaphore.held.remove(&permit);
                self.sessions.holds(asker.session).remove(&Holding::Permit(Arc::clone(name), permit));
                self.serve_semaphore(name, asker.now);
            }
        }
        Reply::Done { version: self.version }
    }

    fn serve_semaphore(&mut self, name: &Arc<str>, now: Instant) {
        let lot = Lot::Semaphore(Arc::clone(name));
        while let Some(link) = self.parked.first(&lot) {
            if self.meet.semaphores[name].free() == 0 {
                break;
            }
            let session = self.sessions.of(link).expect("who waits is there");
            let granted = self.grant(Asker { link, session, now }, name);
            self.let_on(link, granted);
        }
    }

    pub(super) fn left_permit(&mut self, name: &Arc<str>, permit: u64, who: &Who, now: Instant) {
        let semaphore = self.meet.semaphores.get_mut(name).expect("semaphores stay");
        semaphore.held.remove(&permit);
        semaphore.died.push_back(who.clone());
        self.history.note(who, Event::LeftPermit { name: Arc::clone(name) }, now);
        self.serve_semaphore(name, now);
    }

    pub(in super::super) fn semaphore_facts(&self, name: &Arc<str>) -> Facts {
        let Some(semaphore) = self.meet.semaphores.get(name) else { return Vec::new() };
        let free = format!("{} of {}", semaphore.free(), semaphore.permits);
        vec![fact("free", free), fact("held by", all_called(semaphore.held.values().map(|(_, who)| who)))]
    }
}

impl Semaphore {
    fn free(&self) -> u64 {
        self.permits - self.held.len() as u64
    }

    #[cfg(test)]
    pub(super) fn check(&self, is_waited_for: bool) -> usize {
        assert!(self.held.len() as u64 <= self.permits && self.died.len() as u64 <= self.free());
        assert!(!is_waited_for || self.free() == 0);
        self.held.len()
    }
}
