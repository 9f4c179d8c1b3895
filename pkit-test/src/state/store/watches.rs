//! Who watches what: by key, and by namespace, so that a change looks at nobody else.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::protocol::{Change, Held, Key, Reply};
use super::machine::{Answer, Asker, Store, malformed};
use super::park::Lot;
use super::sessions::LinkId;
use super::watch::Watch;

#[derive(Debug, Default)]
pub(super) struct Watches {
    of_link: HashMap<LinkId, Watch>,
    /// Of those that name keys.
    by_key: HashMap<Key, BTreeSet<LinkId>>,
    /// Of those that watch all of a namespace.
    by_space: HashMap<Arc<str>, BTreeSet<LinkId>>,
    /// Those that have heard something since [`Store::wake`].
    heard: Vec<LinkId>,
}

impl Watches {
    pub(super) fn get(&self, link: LinkId) -> Option<&Watch> {
        self.of_link.get(&link)
    }

    pub(super) fn hear(&mut self, change: &Change, now: Instant) {
        if self.of_link.is_empty() {
            return;
        }
        let Watches { of_link, by_key, by_space, heard } = self;
        let watching = [by_key.get(&change.key), by_space.get(&change.key.space)];
        for link in watching.into_iter().flatten().flatten() {
            of_link.get_mut(link).expect("the indices know watches that are there").hear(change.clone(), now);
            heard.push(*link);
        }
    }

    pub(super) fn end(&mut self, link: LinkId) {
        let Some(watch) = self.of_link.remove(&link) else { return };
        if watch.keys.is_empty() {
            forget(&mut self.by_space, watch.space, link);
            return;
        }
        for name in watch.keys {
            forget(&mut self.by_key, Key { space: Arc::clone(&watch.space), name }, link);
        }
    }

    fn begin(&mut self, link: LinkId, watch: Watch) {
        self.end(link);
        if watch.keys.is_empty() {
            self.by_space.entry(Arc::clone(&watch.space)).or_default().insert(link);
        }
        for name in &watch.keys {
            let key = Key { space: Arc::clone(&watch.space), name: Arc::clone(name) };
            self.by_key.entry(key).or_default().insert(link);
        }
        self.of_link.insert(link, watch);
    }
}

impl Store {
    pub(super) fn watch(&mut self, asker: Asker, mut watch: Watch, with_first: bool) -> Reply {
        watch.keys.sort_unstable();
        watch.keys.dedup();
        if with_first {
            self.firsts(&watch).into_iter().for_each(|first| watch.begin_with(first));
        }
        self.watches.begin(asker.link, watch);
        Reply::Done { version: self.version }
    }

    pub(super) fn next(&mut self, asker: Asker, timeout: Option<Duration>) -> Answer {
        let Some(watch) = self.watches.of_link.get_mut(&asker.link) else {
            return malformed("nothing is watched on this link").into();
        };
        watch.answer().map_or_else(|| Answer::Later(Lot::Next(asker.link), timeout), Answer::Now)
    }

    /// Answers those who wait for what they have heard now. Of a commit they hear all at once.
    pub(super) fn wake(&mut self) {
        for link in std::mem::take(&mut self.watches.heard) {
            let is_waiting = self.parked.first(&Lot::Next(link)).is_some();
            let watch = if is_waiting { self.watches.of_link.get_mut(&link) } else { None };
            if let Some(reply) = watch.and_then(Watch::answer) {
                self.let_on(link, reply);
            }
        }
    }

    fn firsts(&self, watch: &Watch) -> Vec<Change> {
        let key = |name: &Arc<str>| Key { space: Arc::clone(&watch.space), name: Arc::clone(name) };
        if watch.keys.is_empty() {
            return self.spaces.entries(&watch.space).into_iter().map(|(name, held)| first(key(name), held)).collect();
        }
        watch
            .keys
            .iter()
            .map(key)
            .filter_map(|key| self.spaces.get(&key).map(|held| first(key.clone(), held)))
            .collect()
    }
}

fn first(key: Key, held: &Held) -> Change {
    let Held { value, version, by } = held.clone();
    Change { key, value: Some(value), version, by, is_first: true }
}

fn forget<K: Hash + Eq>(index: &mut HashMap<K, BTreeSet<LinkId>>, of: K, link: LinkId) {
    if let Entry::Occupied(mut links) = index.entry(of) {
        links.get_mut().remove(&link);
        if links.get().is_empty() {
            links.remove();
        }
    }
}
