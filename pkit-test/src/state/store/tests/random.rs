//! Thousands of requests of four links in three processes that come, go and die, by chance; after each of them everything is
//! looked at that must always be so. `PKIT_STATE_ROUNDS` is how many such lives are lived; the seed of a round is its number.

use std::collections::BTreeMap;
use std::env;
use std::time::{Duration, Instant};

use super::super::super::protocol::*;
use super::super::park::Lot;
use super::super::{LinkId, SessionId, Store};
use super::{Key, int, shown, who};

mod model;
mod requests;

use model::Model;
use requests::{Numbers, request};

const ROUNDS: u64 = 8;
const STEPS: u32 = 3000;

/// It watches all that there is, from the beginning, and lives for ever.
const OBSERVER: LinkId = 1;

struct Life {
    store: Store,
    now: Instant,
    numbers: Numbers,
    /// Four, each with the process that it is of.
    links: Vec<(LinkId, SessionId)>,
    /// What has not been answered yet.
    open: BTreeMap<LinkId, Request>,
    model: Model,
    /// What the observer knows.
    seen: BTreeMap<Key, (Value, Version)>,
    last_id: u64,
}

#[test]
fn nothing_is_lost_answered_twice_or_counted_wrong() {
    let rounds = env::var("PKIT_STATE_ROUNDS").ok();
    let rounds = rounds.map_or(ROUNDS, |rounds| rounds.parse().expect("PKIT_STATE_ROUNDS is a number"));
    for round in 1..=rounds {
        let mut life = Life::new(round);
        for step in 0..STEPS {
            life.step();
            life.check(round, step);
        }
        life.end();
    }
}

impl Life {
    fn new(seed: u64) -> Life {
        let now = Instant::now();
        let mut life = Life {
            store: Store::new(now),
            now,
            numbers: Numbers(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)),
            links: Vec::new(),
            open: BTreeMap::new(),
            model: Model::default(),
            seen: BTreeMap::new(),
            last_id: 1000,
        };
        life.store.enter(0, who("observer", 0));
        life.store.open(OBSERVER, 0);
        let watch = Request::Watch { space: "".into(), keys: Vec::new(), is_live: false, with_first: true };
        life.ask(OBSERVER, watch);
        life.observe();
        for _ in 0..3 {
            life.enter();
        }
        life.open(0);
        life
    }

    fn step(&mut self) {
        match self.numbers.below(100) {
            0 => self.die(),
            1 | 2 => self.close(),
            3..12 => self.tick(),
            _ => self.ask_something(),
        }
        self.observe();
    }

    fn enter(&mut self) {
        self.last_id += 1;
        let session = self.last_id;
        self.store.enter(session, who(&format!("p{session}"), 1));
        self.open(session);
    }

    /// Another link of that process, or of some.
    fn open(&mut self, session: SessionId) {
        self.last_id += 1;
        let some = self.numbers.below(self.links.len() as u64 + 1) as usize;
        let session = if session == 0 { self.links[some % self.links.len()].1 } else { session };
        self.store.open(self.last_id, session);
        self.links.push((self.last_id, session));
    }

    fn die(&mut self) {
        let (_, session) = self.links[self.numbers.below(self.links.len() as u64) as usize];
        let (gone, left) = self.links.iter().partition(|link| link.1 == session);
        let gone: Vec<(LinkId, SessionId)> = gone;
        self.links = left;
        for (link, _) in &gone {
            self.open.remove(link);
        }
        self.store.leave(session, self.now);
        self.model.died(session);
        self.hear();
        self.enter();
        for _ in 1..gone.len() {
            self.open(0);
        }
    }

    fn close(&mut self) {
        let place = self.numbers.below(self.links.len() as u64) as usize;
        let (link, session) = self.links.swap_remove(place);
        self.open.remove(&link);
        self.store.close(link, self.now);
        self.hear();
        self.open(session);
    }

    fn tick(&mut self) {
        self.now += Duration::from_millis(self.numbers.below(400));
        self.store.tick(self.now);
        self.hear();
    }

    fn ask_something(&mut self) {
        let place = self.numbers.below(self.links.len() as u64) as usize;
        let (link, _) = self.links[place];
        if !self.open.contains_key(&link) {
            let request = request(&mut self.numbers, &self.model);
            self.ask(link, request);
        }
    }

    fn ask(&mut self, link: LinkId, request: Request) {
        match self.store.ask(link, request.clone(), self.now) {
            Some(reply) => self.answered(link, &request, &reply),
            None => {
                self.open.insert(link, request);
            }
        }
        self.hear();
    }

    /// Each answer is to somebody who waits for it.
    fn hear(&mut self) {
        let replies: Vec<_> = self.store.replies().collect();
        for (link, reply) in replies {
            let request = self.open.remove(&link);
            let request = request.unwrap_or_else(|| panic!("nobody has asked for {}", shown(&reply)));
            self.answered(link, &request, &reply);
        }
    }

    fn answered(&mut self, link: LinkId, request: &Request, reply: &Reply) {
        if let Reply::Changes(changes) = reply {
            let later = changes.iter().filter(|change| !change.is_first);
            assert!(later.is_sorted_by_key(|change| (change.version, &change.key)));
            if link == OBSERVER {
                changes.iter().for_each(|change| self.see(change));
            }
            return;
        }
        let session = self.links.iter().find(|(other, _)| *other == link).map_or(0, |(_, session)| *session);
        self.model.answered(session, request, reply);
    }

    fn see(&mut self, change: &Change) {
        let before = self.seen.get(&change.key).map_or(0, |(_, version)| *version);
        assert!(change.version > before, "{change:?} after {before}");
        match change.value.clone() {
            Some(value) => self.seen.insert(change.key.clone(), (value, change.version)),
            None => self.seen.remove(&change.key),
        };
    }

    /// It always waits for the next change, so that it has seen all of them.
    fn observe(&mut self) {
        while !self.open.contains_key(&OBSERVER) {
            self.ask(OBSERVER, Request::Next { timeout: None });
        }
    }

    fn check(&self, round: u64, step: u32) {
        assert_eq!(self.store.parked.count(), self.open.len(), "round {round}, step {step}");
        assert!(self.store.turn.is_some() || self.store.parked.first(&Lot::Turn).is_none());
        self.store.spaces.check();
        self.store.check_meetings();
        let there: BTreeMap<_, _> = (self.store.spaces.entries("").into_iter())
            .map(|(name, held)| (Key { space: "".into(), name: name.clone() }, (held.value.clone(), held.version)))
            .collect();
        assert_eq!(there, self.seen, "round {round}, step {step}: what was seen is what there is");
        self.model.check(&there);
    }

    /// Everybody leaves, and nothing is left of them.
    fn end(mut self) {
        for (link, session) in self.links.clone() {
            self.store.leave(session, self.now);
            let of_it = |link: &LinkId| self.links.contains(&(*link, session));
            self.open.retain(|link, _| !of_it(link));
            assert!(!self.open.contains_key(&link));
            self.hear();
            self.observe();
        }
        assert_eq!(self.store.sessions.held().count(), 0);
        assert_eq!(self.store.parked.count(), 1);
        assert!(self.store.deadline().is_none());
        self.store.check_meetings();
    }
}
