//! Queues: each item goes to one, and comes back where that one dies before it is done.
//!
//! A queue that is closed is at its end when nothing can come out of it any more. While an item of it is leased it may come back, and
//! whoever waits for the next one waits for that, too: else the last item of a worker that dies would be nobody's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::super::protocol::{QueueAct, Refusal, Reply, Request, Value, Who};
use super::super::change::fits_by_itself;
use super::super::history::Event;
use super::super::machine::{Answer, Asker, Store, malformed, number};
use super::super::park::Lot;
use super::super::sessions::{Holding, SessionId};
use super::super::spaces::weight;
use super::super::words::{Facts, all_called, before, called, fact, name as shown};

#[derive(Debug, Default)]
pub(super) struct Queue {
    /// By the order of pushing. Whatever was taken is from the front, so that what comes back with its number is there again.
    items: BTreeMap<u64, Item>,
    leases: BTreeMap<u64, Lease>,
    pushed: u64,
    leased: u64,
    closed: Option<Who>,
    last_push: Option<(Instant, Who)>,
    last_pop: Option<(Instant, Who)>,
}

#[derive(Debug)]
struct Item {
    value: Value,
    /// Who has died with it.
    after: Option<Who>,
}

#[derive(Debug)]
struct Lease {
    number: u64,
    item: Item,
    session: SessionId,
    who: Who,
}

impl Store {
    pub(in super::super) fn queue(&mut self, asker: Asker, name: &Arc<str>, act: &QueueAct) -> Answer {
        if !self.meet.queues.contains_key(name) {
            if let Err(refusal) = self.make(name) {
                return Reply::Refused(refusal).into();
            }
            self.meet.queues.insert(Arc::clone(name), Queue::default());
        }
        match act {
            QueueAct::Push { value } => self.push(asker, name, value).into(),
            QueueAct::Pop { timeout } => self.pop(asker, name, false, *timeout),
            QueueAct::Lease { timeout } => self.pop(asker, name, true, *timeout),
            QueueAct::Settle { lease, is_done } => self.settle(asker, name, *lease, *is_done).into(),
            QueueAct::Len => number(self.meet.queues[name].items.len()).into(),
            QueueAct::Close => self.close_queue(asker, name).into(),
        }
    }

    fn push(&mut self, asker: Asker, name: &Arc<str>, value: &Value) -> Reply {
        let bytes = weight("", value);
        if let Some(by) = &self.meet.queues[name].closed {
            return Reply::Refused(Refusal::Closed { by: by.clone() });
        }
        if let Err(refusal) = fits_by_itself(value).and_then(|()| self.has_room(bytes, 0)) {
            return Reply::Refused(refusal);
        }
        self.meet.bytes += bytes;
        let queue = self.meet.queues.get_mut(name).expect("it was made if it was not there");
        queue.pushed += 1;
        queue.items.insert(queue.pushed, Item { value: value.clone(), after: None });
        queue.last_push = Some((asker.now, self.sessions.who(asker.session).clone()));
        self.serve_queue(name, asker.now);
        number(self.meet.queues[name].items.len())
    }

    fn pop(&mut self, asker: Asker, name: &Arc<str>, is_lease: bool, timeout: Option<Duration>) -> Answer {
        match (self.take(asker, name, is_lease), timeout) {
            (Some(reply), _) => reply.into(),
            (None, Some(_)) => Answer::Later(Lot::Queue(Arc::clone(name)), timeout),
            (None, None) => Reply::Late { facts: self.queue_facts(name, asker.now) }.into(),
        }
    }

    /// The first item, or that there will be none.
    fn take(&mut self, asker: Asker, name: &Arc<str>, is_lease: bool) -> Option<Reply> {
        let queue = self.meet.queues.get_mut(name).expect("it was made if it was not there");
        let Some((number, item)) = queue.items.pop_first() else {
            let by = queue.closed.clone().filter(|_| queue.leases.is_empty())?;
            return Some(Reply::Refused(Refusal::Closed { by }));
        };
        let who = self.sessions.who(asker.session).clone();
        queue.last_pop = Some((asker.now, who.clone()));
        let (value, after) = (item.value.clone(), item.after.clone());
        if !is_lease {
            self.meet.bytes -= weight("", &value);
            return Some(Reply::Item { value, lease: None, after });
        }
        queue.leased += 1;
        let lease = queue.leased;
        queue.leases.insert(lease, Lease { number, item, session: asker.session, who });
        self.holds(asker, Holding::Lease(Arc::clone(name), lease));
        Some(Reply::Item { value, lease: Some(lease), after })
    }

    pub(in super::super) fn settle(&mut self, asker: Asker, name: &Arc<str>, lease: u64, is_done: bool) -> Reply {
        let queue = self.meet.queues.get_mut(name).expect("it was made if it was not there");
        match queue.leases.get(&lease) {
            None => return Reply::Done { version: self.version },
            Some(held) if held.session != asker.session => {
                return malformed(format!("lease {lease} of `{}` is somebody else's", shown(name)));
            }
            Some(_) => {}
        }
        let Lease { number, item, .. } = queue.leases.remove(&lease).expect("it was found");
        if is_done {
            self.meet.bytes -= weight("", &item.value);
        } else {
            queue.items.insert(number, item);
        }
        self.sessions.holds(asker.session).remove(&Holding::Lease(Arc::clone(name), lease));
        self.serve_queue(name, asker.now);
        Reply::Done { version: self.version }
    }

    /// Whoever has closed it first has closed it.
    fn close_queue(&mut self, asker: Asker, name: &Arc<str>) -> Reply {
        let queue = self.meet.queues.get_mut(name).expect("it was made if it was not there");
        queue.closed.get_or_insert_with(|| self.sessions.who(asker.session).clone());
        self.serve_queue(name, asker.now);
        Reply::Done { version: self.version }
    }

    /// Gives what is there to those who wait, or tells them that it is at its end.
    pub(super) fn serve_queue(&mut self, name: &Arc<str>, now: Instant) {
        let lot = Lot::Queue(Arc::clone(name));
        while let Some(link) = self.parked.first(&lot) {
            let waiting = self.parked.get(link).expect("who is in a lot waits");
            let is_lease = matches!(waiting.request, Request::Queue { act: QueueAct::Lease { .. }, .. });
            let session = self.sessions.of(link).expect("who waits is there");
            let Some(reply) = self.take(Asker { link, session, now }, name, is_lease) else { break };
            self.let_on(link, reply);
        }
    }

    /// It is back. Nobody gets it before all are that come back at once, so that they keep their order.
    pub(super) fn left_item(&mut self, name: &Arc<str>, lease: u64, who: &Who, now: Instant) {
        let queue = self.meet.queues.get_mut(name).expect("queues stay");
        let Some(Lease { number, mut item, .. }) = queue.leases.remove(&lease) else { return };
        item.after = Some(who.clone());
        queue.items.insert(number, item);
        self.history.note(who, Event::LeftItem { name: Arc::clone(name) }, now);
    }

    pub(in super::super) fn queue_facts(&self, name: &Arc<str>, now: Instant) -> Facts {
        let Some(queue) = self.meet.queues.get(name) else { return Vec::new() };
        let ago = |last: &Option<(Instant, Who)>| match last {
            Some((at, who)) => before(now.saturating_duration_since(*at), who),
            None => "never".to_owned(),
        };
        let mut facts = vec![fact("last push", ago(&queue.last_push)), fact("last pop", ago(&queue.last_pop))];
        if !queue.leases.is_empty() {
            let whos = all_called(queue.leases.values().map(|lease| &lease.who));
            facts.push(fact("leased", format!("{}, by {whos}", queue.leases.len())));
        }
        facts.extend(queue.closed.as_ref().map(|by| fact("closed", format!("by {}", called(by)))));
        facts
    }
}

impl Queue {
    /// How many items are leased, and how many bytes all of them have.
    #[cfg(test)]
    pub(super) fn check(&self, is_waited_for: bool) -> (usize, u64) {
        let is_at_its_end = self.closed.is_some() && self.leases.is_empty();
        assert!(!is_waited_for || self.items.is_empty() && !is_at_its_end);
        let items = self.items.values().chain(self.leases.values().map(|lease| &lease.item));
        (self.leases.len(), items.map(|item| weight("", &item.value)).sum())
    }
}
