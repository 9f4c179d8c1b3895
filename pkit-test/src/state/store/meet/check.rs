//! What is so at all times between two requests.

use std::sync::Arc;

use super::super::machine::Store;
use super::super::park::Lot;
use super::super::sessions::Holding;
use super::meet::MEETING_BYTES;

impl Store {
    /// Nobody waits for what is there, and what is held is held by somebody who knows it.
    pub(in super::super) fn check_meetings(&self) {
        let is_waited_for = |lot: Lot| self.parked.first(&lot).is_some();
        for (name, barrier) in &self.meet.barriers {
            barrier.check(self.parked.len(&Lot::Barrier(Arc::clone(name))));
        }
        for (name, latch) in &self.meet.latches {
            latch.check(is_waited_for(Lot::Latch(Arc::clone(name))));
        }
        let semaphores = self.meet.semaphores.iter();
        let permits: usize =
            semaphores.map(|(name, it)| it.check(is_waited_for(Lot::Semaphore(Arc::clone(name))))).sum();
        assert_eq!(self.sessions.held().filter(|held| matches!(held, Holding::Permit(..))).count(), permits);
        let (mut leases, mut bytes) = (0, 0);
        for (name, queue) in &self.meet.queues {
            let (leased, in_it) = queue.check(is_waited_for(Lot::Queue(Arc::clone(name))));
            (leases, bytes) = (leases + leased, bytes + in_it);
        }
        assert_eq!(self.sessions.held().filter(|held| matches!(held, Holding::Lease(..))).count(), leases);
        for (name, phase) in &self.meet.phases {
            let at = |step: &Arc<str>| Lot::Step { name: Arc::clone(name), step: Arc::clone(step) };
            assert!(!phase.open_steps().any(|step| is_waited_for(at(step))));
        }
        assert_eq!(self.meet.bytes, bytes + self.names().map(|name| MEETING_BYTES + name.len() as u64).sum::<u64>());
    }

    fn names(&self) -> impl Iterator<Item = &Arc<str>> {
        let meet = &self.meet;
        let steps = meet.phases.values().flat_map(super::phase::Phase::steps);
        let sync = meet.barriers.keys().chain(meet.latches.keys()).chain(meet.semaphores.keys());
        sync.chain(meet.queues.keys()).chain(meet.phases.keys()).chain(steps)
    }
}
