//! The values, by namespace and key, and when they and the lists of keys have changed last.
//!
//! What is gone leaves nothing behind: the version of the list of keys says that something in it came or went, and stands in
//! for every key that is absent. Where a whole namespace is gone, one number stands in for all such lists. Both can only say "it
//! has changed" of something that has not, which costs a transaction another try, never the other way round.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::super::protocol::{Held, Key, Value, Version};

/// What an entry costs beside its bytes, about.
const ENTRY_BYTES: u64 = 128;

/// A table is made smaller when it is larger than this, and less than an eighth of it is in use.
const SMALL_TABLE: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Spaces {
    /// None is empty.
    spaces: HashMap<Arc<str>, Space>,
    /// When the last namespace went.
    gone: Version,
    bytes: u64,
}

#[derive(Debug, Default)]
struct Space {
    held: HashMap<Arc<str>, Held>,
    /// When a key came or went.
    listed: Version,
    /// When anything in it changed.
    changed: Version,
}

impl Spaces {
    pub(super) fn get(&self, key: &Key) -> Option<&Held> {
        self.spaces.get(&key.space)?.held.get(&key.name)
    }

    /// 0 where it is absent.
    pub(super) fn version(&self, key: &Key) -> Version {
        self.get(key).map_or(0, |held| held.version)
    }

    /// When it has changed, or may have, where it is absent.
    pub(super) fn touched(&self, key: &Key) -> Version {
        self.get(key).map_or_else(|| self.listed(&key.space), |held| held.version)
    }

    pub(super) fn listed(&self, space: &str) -> Version {
        self.spaces.get(space).map_or(self.gone, |space| space.listed)
    }

    pub(super) fn changed(&self, space: &str) -> Version {
        self.spaces.get(space).map_or(self.gone, |space| space.changed)
    }

    pub(super) fn len(&self, space: &str) -> usize {
        self.spaces.get(space).map_or(0, |space| space.held.len())
    }

    /// In alphabetical order.
    pub(super) fn entries(&self, space: &str) -> Vec<(&Arc<str>, &Held)> {
        let mut entries: Vec<_> = self.spaces.get(space).into_iter().flat_map(|space| &space.held).collect();
        entries.sort_unstable_by_key(|(name, _)| *name);
        entries
    }

    /// Of all values and keys.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counted again.
    #[cfg(test)]
    pub(super) fn check(&self) {
        let mut bytes = 0;
        for space in self.spaces.values() {
            assert!(!space.held.is_empty());
            assert!(space.held.values().all(|held| held.version <= space.changed) && space.listed <= space.changed);
            bytes += space.held.iter().map(|(name, held)| weight(name, &held.value)).sum::<u64>();
        }
        assert_eq!(self.bytes, bytes);
    }

    pub(super) fn put(&mut self, key: &Key, held: Held) {
        let version = held.version;
        self.bytes += weight(&key.name, &held.value);
        let space = self.spaces.entry(Arc::clone(&key.space)).or_default();
        space.changed = version;
        match space.held.entry(Arc::clone(&key.name)) {
            Entry::Occupied(mut old) => self.bytes -= weight(&key.name, &old.insert(held).value),
            Entry::Vacant(vacant) => {
                vacant.insert(held);
                space.listed = version;
            }
        }
    }

    /// Whether it was there.
    pub(super) fn remove(&mut self, key: &Key, version: Version) -> bool {
        let Some(space) = self.spaces.get_mut(&key.space) else { return false };
        let Some(held) = space.held.remove(&key.name) else { return false };
        (space.listed, space.changed) = (version, version);
        self.bytes -= weight(&key.name, &held.value);
        if space.held.is_empty() {
            self.spaces.remove(&key.space);
            self.gone = version;
        } else if space.held.capacity() > SMALL_TABLE && space.held.len() < space.held.capacity() / 8 {
            space.held.shrink_to(space.held.len() * 2);
        }
        true
    }
}

/// What a value takes in its place, under that name.
pub(super) fn weight(name: &str, value: &Value) -> u64 {
    ENTRY_BYTES + (name.len() + value.type_name.len() + value.bytes.len()) as u64
}
