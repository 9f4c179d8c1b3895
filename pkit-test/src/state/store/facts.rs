//! What there is to say to somebody whose time is over, of what it has waited for.

use std::time::Instant;

use super::super::packed;
use super::super::protocol::Key;
use super::machine::Store;
use super::park::{Lot, Waiting};
use super::sessions::LinkId;
use super::words::{Facts, before, called, fact};
use crate::limits::HISTORY_CHARS;

impl Store {
    /// While it still waits: it is one of those who do.
    pub(super) fn facts(&self, link: LinkId, waiting: &Waiting, now: Instant) -> Facts {
        match &waiting.lot {
            Lot::Turn => self.turn_facts(now),
            Lot::Next(_) => self.watch_facts(link, now),
            Lot::Wait(key) => self.value_facts(key),
            Lot::Barrier(name) => self.barrier_facts(name),
            Lot::Latch(name) => self.latch_facts(name),
            Lot::Semaphore(name) => self.semaphore_facts(name),
            Lot::Queue(name) => self.queue_facts(name, now),
            Lot::Step { name, step } => self.phase_facts(name, step, None, now),
            Lot::Gathering { name, step, count } => self.phase_facts(name, step, Some(*count), now),
        }
    }

    fn turn_facts(&self, now: Instant) -> Facts {
        let Some(turn) = &self.turn else { return Vec::new() };
        let ago = now.saturating_duration_since(turn.since);
        vec![fact("turn", before(ago, self.sessions.who(turn.session)))]
    }

    fn watch_facts(&self, link: LinkId, now: Instant) -> Facts {
        let last = self.watches.get(link).and_then(|watch| watch.last.as_ref());
        let last = last.map(|(at, who)| fact("last change", before(now.saturating_duration_since(*at), who)));
        last.into_iter().collect()
    }

    fn value_facts(&self, key: &Key) -> Facts {
        let Some(held) = self.spaces.get(key) else { return vec![fact("value", "none")] };
        vec![fact("value", packed::shown(&held.value.bytes, HISTORY_CHARS)), fact("set by", called(&held.by))]
    }
}
