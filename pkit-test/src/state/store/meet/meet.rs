//! All that was made by name, each kind for itself.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::super::super::protocol::{Refusal, Who};
use super::super::machine::{Asker, Store, Why};
use super::super::park::{Lot, Waiting};
use super::super::sessions::{Holding, LinkId, SessionId};
use super::barrier::Barrier;
use super::latch::Latch;
use super::phase::Phase;
use super::queue::Queue;
use super::semaphore::Semaphore;

/// What a meeting point costs beside its name, about.
pub(super) const MEETING_BYTES: u64 = 256;

#[derive(Debug, Default)]
pub(in super::super) struct Meet {
    pub(super) barriers: HashMap<Arc<str>, Barrier>,
    pub(super) latches: HashMap<Arc<str>, Latch>,
    pub(super) semaphores: HashMap<Arc<str>, Semaphore>,
    pub(super) queues: HashMap<Arc<str>, Queue>,
    pub(super) phases: HashMap<Arc<str>, Phase>,
    /// Of all of them, with the items of queues.
    pub(in super::super) bytes: u64,
}

impl Store {
    /// Makes room for another one of that name, which stays as long as the state.
    pub(super) fn make(&mut self, name: &str) -> Result<(), Refusal> {
        let bytes = MEETING_BYTES + name.len() as u64;
        self.has_room(bytes, 0)?;
        self.meet.bytes += bytes;
        Ok(())
    }

    /// It is given that.
    pub(super) fn holds(&mut self, asker: Asker, holding: Holding) {
        self.unheard.insert(asker.link, holding.clone());
        self.sessions.holds(asker.session).insert(holding);
    }

    /// Somebody does not wait any more, and was not answered, or only that it is late.
    pub(in super::super) fn gave_up(&mut self, who: &Who, waiting: &Waiting, why: Why, now: Instant) {
        match (&waiting.lot, why) {
            (Lot::Barrier(name), why) => self.break_round(name, who, why.in_words(), now),
            // The links of a process that dies are seen to end before the process is.
            (Lot::Step { name, step }, Why::Link | Why::Death) => self.lost_at(name, step, who, now),
            _ => {}
        }
    }

    /// What a session has held, which is gone.
    pub(in super::super) fn let_all_go(
        &mut self,
        session: SessionId,
        who: &Who,
        holds: BTreeSet<Holding>,
        now: Instant,
    ) {
        let queues: BTreeSet<_> = holds.iter().filter_map(Holding::queue).cloned().collect();
        for holding in holds {
            self.let_go(session, who, holding, now);
        }
        for name in queues {
            self.serve_queue(&name, now);
        }
    }

    fn let_go(&mut self, session: SessionId, who: &Who, holding: Holding, now: Instant) {
        match holding {
            Holding::Barrier(name) => self.left_barrier(&name, session, who, now),
            Holding::Latch(name) => self.left_latch(&name, who),
            Holding::Permit(name, permit) => self.left_permit(&name, permit, who, now),
            Holding::Lease(name, lease) => self.left_item(&name, lease, who, now),
        }
    }

    /// Those who wait there now, the first one first.
    pub(super) fn all_in(&self, lot: &Lot) -> Vec<LinkId> {
        self.parked.all(lot).collect()
    }

    pub(super) fn whos_in(&self, lot: &Lot) -> impl Iterator<Item = &Who> {
        self.parked.all(lot).map(|link| self.sessions.on_link(link))
    }
}

impl Holding {
    fn queue(&self) -> Option<&Arc<str>> {
        match self {
            Holding::Lease(name, _) => Some(name),
            _ => None,
        }
    }
}

impl Why {
    fn in_words(self) -> &'static str {
        match self {
            Why::Time => "its time was over",
            Why::Link => "its link was closed",
            Why::Death => "died",
        }
    }
}
