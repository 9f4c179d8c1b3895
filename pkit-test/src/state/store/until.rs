//! Waiting for a value in one request: each value that the key has is looked at, before it can be another one.

use std::time::Duration;

use super::super::packed;
use super::super::protocol::{Held, Key, Reply, Request, Until, Version};
use super::machine::{Answer, Store};
use super::park::Lot;
use super::sessions::LinkId;

impl Store {
    pub(super) fn wait(&self, key: &Key, until: &Until, timeout: Duration) -> Answer {
        if is_so(until, self.spaces.get(key), self.spaces.touched(key)) {
            return self.value(key).into();
        }
        Answer::Later(Lot::Wait(key.clone()), Some(timeout))
    }

    /// It is another one than before, or none.
    pub(super) fn has_value(&mut self, key: &Key) {
        if self.parked.is_empty() {
            return;
        }
        let (lot, held, touched) = (Lot::Wait(key.clone()), self.spaces.get(key), self.spaces.touched(key));
        let is_content = |link: &LinkId| match self.parked.get(*link).map(|waiting| &waiting.request) {
            Some(Request::Wait { until, .. }) => is_so(until, held, touched),
            _ => false,
        };
        let content: Vec<_> = self.parked.all(&lot).filter(is_content).collect();
        for link in content {
            self.let_on(link, self.value(key));
        }
    }

    fn value(&self, key: &Key) -> Reply {
        Reply::Value { held: self.spaces.get(key).cloned(), now: self.version }
    }
}

/// `touched` is when it changed last, or may have.
fn is_so(until: &Until, held: Option<&Held>, touched: Version) -> bool {
    match until {
        Until::Present => held.is_some(),
        Until::Absent => held.is_none(),
        Until::Equal(wanted) => held.is_some_and(|held| packed::is_same(&held.value.bytes, wanted)),
        Until::AtLeast(least) => held.is_some_and(|held| packed::is_at_least(&held.value.bytes, *least)),
        Until::After(version) => touched > *version,
    }
}
