//! A commit: what was read is still so, and everything is written at once; or nothing.

use std::collections::BTreeMap;

use super::super::protocol::{Commit, Key, Reply, Value};
use super::machine::{Asker, Store};

impl Store {
    pub(super) fn commit(&mut self, asker: Asker, commit: &Commit) -> Reply {
        if !self.is_still_so(commit) {
            return Reply::Moved;
        }
        let writes = self.writes(commit);
        if let Err(refusal) = self.fits(writes.iter().map(|(key, value)| (*key, *value))) {
            return Reply::Refused(refusal);
        }
        if !writes.is_empty() {
            self.version += 1;
        }
        for (key, value) in &writes {
            self.write(asker, key, *value, writes.len());
        }
        self.wake();
        Reply::Done { version: self.version }
    }

    /// What was absent, came, and went again is as absent as it was.
    fn is_still_so(&self, commit: &Commit) -> bool {
        let mut reads = commit.reads.iter();
        let mut lists = commit.lists.iter();
        reads.all(|(key, version)| self.spaces.version(key) == *version)
            && lists.all(|(space, version)| self.spaces.listed(space) <= *version)
    }

    /// The last one of each key, in alphabetical order, but for what removes nothing.
    fn writes<'c>(&self, commit: &'c Commit) -> BTreeMap<&'c Key, Option<&'c Value>> {
        let mut writes: BTreeMap<_, _> = commit.writes.iter().map(|(key, value)| (key, value.as_ref())).collect();
        writes.retain(|key, value| value.is_some() || self.spaces.get(key).is_some());
        writes
    }
}
