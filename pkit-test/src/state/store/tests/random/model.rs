//! What the values of a state should be, by the answers alone: whoever is answered first was first.

use std::collections::{BTreeMap, BTreeSet};

use super::super::super::super::protocol::*;
use super::super::super::SessionId;
use super::super::shown;
use crate::function::codec;

#[derive(Default)]
pub(super) struct Model {
    values: BTreeMap<Key, (Value, Version)>,
    version: Version,
    /// When a key came or went.
    listed: Version,
    /// Permits, and items, as those know them who have them.
    permits: BTreeSet<(SessionId, u64)>,
    pushed: Vec<Value>,
    taken: Vec<Value>,
}

impl Model {
    pub(super) fn version(&self, key: &Key) -> Version {
        self.values.get(key).map_or(0, |(_, version)| *version)
    }

    /// So many before the present one.
    pub(super) fn some_version(&self, ago: u64) -> Version {
        self.version.saturating_sub(ago)
    }

    pub(super) fn check(&self, there: &BTreeMap<Key, (Value, Version)>) {
        assert_eq!(&self.values, there, "what was answered is what there is");
    }

    pub(super) fn died(&mut self, session: SessionId) {
        self.permits.retain(|(other, _)| *other != session);
    }

    /// What is late or refused has changed nothing.
    pub(super) fn answered(&mut self, session: SessionId, request: &Request, reply: &Reply) {
        match (request, reply) {
            (_, Reply::Late { .. } | Reply::Refused(_)) => {}
            (Request::Get { key, since }, reply) => self.got(key, *since, reply),
            (Request::Set { key, value, only }, reply) => self.set(key, value, *only, reply),
            (Request::Replace { key, value, .. }, Reply::Value { held, now }) => {
                self.is_there(key, held.as_ref());
                self.put(key, Some(value.clone()), *now);
            }
            (Request::Remove { key }, Reply::Value { held, now }) => {
                self.is_there(key, held.as_ref());
                if held.is_some() {
                    self.put(key, None, *now);
                }
            }
            (Request::Clear { .. }, Reply::Number(gone)) => self.cleared(*gone),
            (Request::Increment { key, by }, Reply::Number(to)) => self.increased(key, *by, *to),
            (Request::Commit(commit), reply) => self.committed(commit, reply),
            (Request::Len { .. }, Reply::Number(many)) => assert_eq!(*many, self.values.len() as i64),
            (Request::Snapshot { .. }, Reply::Entries { entries, .. }) => assert_eq!(entries.len(), self.values.len()),
            (Request::Semaphore { act, .. }, reply) => self.permit(session, *act, reply),
            (Request::Queue { act, .. }, reply) => self.item(act, reply),
            _ => {}
        }
    }

    fn put(&mut self, key: &Key, value: Option<Value>, version: Version) {
        assert!(version >= self.version, "{version} after {}", self.version);
        self.version = version;
        let (was, is) = (self.values.contains_key(key), value.is_some());
        if was != is {
            self.listed = version;
        }
        match value {
            Some(value) => self.values.insert(key.clone(), (value, version)),
            None => self.values.remove(key),
        };
    }

    fn is_there(&self, key: &Key, held: Option<&Held>) {
        let held = held.map(|held| (held.value.clone(), held.version));
        assert_eq!(held.as_ref(), self.values.get(key));
    }

    /// It may have moved where it has not, if it is absent; never the other way round.
    fn got(&self, key: &Key, since: Option<Version>, reply: &Reply) {
        let moved =
            since.is_some_and(|since| self.values.get(key).map_or(self.listed, |(_, version)| *version) > since);
        match reply {
            Reply::Moved => assert!(moved, "{key:?} has not moved"),
            Reply::Value { held, .. } => {
                assert!(!moved, "{key:?} has moved");
                self.is_there(key, held.as_ref());
            }
            other => panic!("no answer to a get: {}", shown(other)),
        }
    }

    fn set(&mut self, key: &Key, value: &Value, only: Only, reply: &Reply) {
        let is_possible = match only {
            Only::Always => true,
            Only::IfAbsent => self.version(key) == 0,
            Only::IfPresent => self.version(key) > 0,
            Only::IfVersion(version) => self.version(key) == version,
        };
        match reply {
            Reply::Done { version } if is_possible => {
                assert!(*version > self.version);
                self.put(key, Some(value.clone()), *version);
            }
            Reply::NotDone { held } if !is_possible => self.is_there(key, held.as_ref()),
            other => panic!("{only:?} of {}: {}", self.version(key), shown(other)),
        }
    }

    fn cleared(&mut self, gone: i64) {
        assert_eq!(gone, self.values.len() as i64);
        if gone > 0 {
            self.values.clear();
            self.version += 1;
            self.listed = self.version;
        }
    }

    fn increased(&mut self, key: &Key, by: i64, to: i64) {
        let number = |value: &Value| codec::read::<i64>(&value.bytes).expect("all are numbers");
        assert_eq!(self.values.get(key).map_or(0, |(value, _)| number(value)) + by, to);
        self.put(key, Some(super::int(to)), self.version + 1);
    }

    fn committed(&mut self, commit: &Commit, reply: &Reply) {
        let is_so = commit.reads.iter().all(|(key, version)| self.version(key) == *version)
            && commit.lists.iter().all(|(_, version)| self.listed <= *version);
        match reply {
            Reply::Done { version } if is_so => {
                let writes: BTreeMap<_, _> = commit.writes.iter().cloned().collect();
                for (key, value) in writes {
                    if value.is_some() || self.values.contains_key(&key) {
                        self.put(&key, value, *version);
                    }
                }
            }
            Reply::Moved if !is_so => {}
            other => panic!("a commit of what is {is_so}: {}", shown(other)),
        }
    }

    fn permit(&mut self, session: SessionId, act: SemaphoreAct, reply: &Reply) {
        match (act, reply) {
            (_, Reply::Granted { permit, .. }) => {
                assert!(self.permits.iter().all(|(_, other)| other != permit), "{permit} is somebody's");
                self.permits.insert((session, *permit));
            }
            (SemaphoreAct::Release { permit }, _) => {
                self.permits.remove(&(session, permit));
            }
            (SemaphoreAct::Free, Reply::Number(free)) => assert_eq!(*free, 2 - self.permits.len() as i64),
            _ => {}
        }
    }

    /// What is taken for good was pushed, and not taken before.
    fn item(&mut self, act: &QueueAct, reply: &Reply) {
        match (act, reply) {
            (QueueAct::Push { value }, _) => self.pushed.push(value.clone()),
            (QueueAct::Pop { .. }, Reply::Item { value, .. }) => {
                assert!(self.pushed.contains(value), "nobody has pushed it");
                assert!(!self.taken.contains(value), "it was taken before");
                self.taken.push(value.clone());
            }
            _ => {}
        }
    }
}
