//! Reading one value, and changing one: what is there, and whether something may be written.

use std::sync::Arc;

use super::super::protocol::{Change, Held, Key, Only, Refusal, Reply, Request, Value, Version};
use super::history::{Event, Kept};
use super::machine::{Asker, Store, malformed, number};
use super::number::increased;
use super::spaces::weight;
use crate::limits::{STATE_BYTES, VALUE_BYTES};

impl Store {
    pub(super) fn get(&self, key: &Key, since: Option<Version>) -> Reply {
        if since.is_some_and(|since| self.spaces.touched(key) > since) {
            return Reply::Moved;
        }
        Reply::Value { held: self.spaces.get(key).cloned(), now: self.version }
    }

    pub(super) fn keys(&self, space: &str, since: Option<Version>) -> Reply {
        if since.is_some_and(|since| self.spaces.listed(space) > since) {
            return Reply::Moved;
        }
        let names = self.spaces.entries(space).into_iter().map(|(name, _)| name.to_string()).collect();
        Reply::Names { names, now: self.version }
    }

    pub(super) fn snapshot(&self, space: &str, since: Option<Version>) -> Reply {
        if since.is_some_and(|since| self.spaces.changed(space) > since) {
            return Reply::Moved;
        }
        let entries = self.spaces.entries(space).into_iter().map(|(name, held)| (name.to_string(), held.clone()));
        Reply::Entries { entries: entries.collect(), now: self.version }
    }

    /// Whoever else has a turn, it was waited for.
    pub(super) fn change(&mut self, asker: Asker, request: &Request) -> Reply {
        let reply = match request {
            Request::Set { key, value, only } => self.set(asker, key, value, *only),
            Request::Replace { key, value, only } => self.replace(asker, key, value, *only),
            Request::Remove { key } => self.remove(asker, key),
            Request::Clear { space } => self.clear(asker, space),
            Request::Increment { key, by } => self.increment(asker, key, *by),
            other => malformed(format!("not a change: {other:?}")),
        };
        self.wake();
        reply
    }

    fn set(&mut self, asker: Asker, key: &Key, value: &Value, only: Only) -> Reply {
        let held = self.spaces.get(key);
        if !may_write(only, held) {
            return Reply::NotDone { held: held.cloned() };
        }
        if let Err(refusal) = self.fits([(key, Some(value))]) {
            return Reply::Refused(refusal);
        }
        self.version += 1;
        self.write(asker, key, Some(value), 1);
        Reply::Done { version: self.version }
    }

    fn replace(&mut self, asker: Asker, key: &Key, value: &Value, only: Only) -> Reply {
        let held = self.spaces.get(key).cloned();
        match self.set(asker, key, value, only) {
            Reply::Done { version } => Reply::Value { held, now: version },
            undone => undone,
        }
    }

    fn remove(&mut self, asker: Asker, key: &Key) -> Reply {
        let held = self.spaces.get(key).cloned();
        if held.is_some() {
            self.version += 1;
            self.write(asker, key, None, 1);
        }
        Reply::Value { held, now: self.version }
    }

    fn clear(&mut self, asker: Asker, space: &Arc<str>) -> Reply {
        let names: Vec<_> = self.spaces.entries(space).into_iter().map(|(name, _)| Arc::clone(name)).collect();
        let of = names.len();
        if of > 0 {
            self.version += 1;
        }
        for name in names {
            self.write(asker, &Key { space: Arc::clone(space), name }, None, of);
        }
        number(of)
    }

    fn increment(&mut self, asker: Asker, key: &Key, by: i64) -> Reply {
        let (to, value) = match increased(self.spaces.get(key), by) {
            Ok(increased) => increased,
            Err(refusal) => return Reply::Refused(refusal),
        };
        if let Err(refusal) = self.fits([(key, Some(&value))]) {
            return Reply::Refused(refusal);
        }
        self.version += 1;
        self.history.note(self.sessions.who(asker.session), Event::Increased { key: key.clone(), by, to }, asker.now);
        self.put(asker, key, Some(&value));
        Reply::Number(to)
    }

    /// One of so many changes of the present version. Whoever watches it is only told by [`wake`](Store::wake).
    pub(super) fn write(&mut self, asker: Asker, key: &Key, value: Option<&Value>, of: usize) {
        let event = match value {
            Some(value) => Event::Set { key: key.clone(), value: Kept::of(value), of },
            None => Event::Removed { key: key.clone(), of },
        };
        self.history.note(self.sessions.who(asker.session), event, asker.now);
        self.put(asker, key, value);
    }

    fn put(&mut self, asker: Asker, key: &Key, value: Option<&Value>) {
        let (version, by) = (self.version, self.sessions.who(asker.session).clone());
        match value.cloned() {
            Some(value) => self.spaces.put(key, Held { value, version, by: by.clone() }),
            None => {
                self.spaces.remove(key, version);
            }
        }
        let change = Change { key: key.clone(), value: value.cloned(), version, by, is_first: false };
        self.watches.hear(&change, asker.now);
        self.has_value(key);
    }

    /// Whether there is room for all of them, each of another key, in the place of what is there.
    pub(super) fn fits<'w>(
        &self,
        writes: impl IntoIterator<Item = (&'w Key, Option<&'w Value>)>,
    ) -> Result<(), Refusal> {
        let (mut more, mut less) = (0, 0);
        for (key, value) in writes {
            value.map_or(Ok(()), fits_by_itself)?;
            more += value.map_or(0, |value| weight(&key.name, value));
            less += self.spaces.get(key).map_or(0, |held| weight(&key.name, &held.value));
        }
        self.has_room(more, less)
    }

    /// For values and items of queues together.
    pub(super) fn has_room(&self, more: u64, less: u64) -> Result<(), Refusal> {
        let bytes = self.spaces.bytes() + self.meet.bytes + more - less;
        // What makes it smaller is always done.
        if bytes > STATE_BYTES && more > less {
            return Err(Refusal::TooLarge { bytes, limit: STATE_BYTES });
        }
        Ok(())
    }
}

pub(super) fn fits_by_itself(value: &Value) -> Result<(), Refusal> {
    let bytes = value.bytes.len() as u64;
    if bytes > VALUE_BYTES { Err(Refusal::TooLarge { bytes, limit: VALUE_BYTES }) } else { Ok(()) }
}

fn may_write(only: Only, held: Option<&Held>) -> bool {
    match only {
        Only::Always => true,
        Only::IfAbsent => held.is_none(),
        Only::IfPresent => held.is_some(),
        Only::IfVersion(version) => held.map_or(0, |held| held.version) == version,
    }
}
