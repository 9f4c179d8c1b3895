//! What one watch has to say: changes that nobody has asked for yet.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::super::protocol::Refusal;
use super::super::protocol::{Change, Key, Reply, Version, Who};
use crate::limits::{ANSWERED_BYTES, WATCHED_BYTES, WATCHED_CHANGES};

/// What a change costs beside its bytes, about.
const CHANGE_BYTES: usize = 128;

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) space: Arc<str>,
    /// None are all.
    pub(super) keys: Vec<Arc<str>>,
    unasked: Unasked,
    bytes: usize,
    /// What was there when it began does not count: of that there is as much as there is.
    most: Most,
    /// How many changes were let go since they became too many. Until that is said no more are kept.
    missed: u64,
    /// The last change, also when it was asked for.
    pub(super) last: Option<(Instant, Who)>,
}

#[derive(Debug)]
enum Unasked {
    All(VecDeque<Change>),
    /// The last one of each key, in the order in which they happened.
    Last {
        changes: BTreeMap<(Version, Key), Change>,
        versions: HashMap<Key, Version>,
    },
}

#[derive(Debug)]
struct Most {
    changes: usize,
    bytes: usize,
}

impl Watch {
    pub(super) fn new(space: Arc<str>, keys: Vec<Arc<str>>, is_live: bool) -> Watch {
        let unasked = if is_live {
            Unasked::Last { changes: BTreeMap::new(), versions: HashMap::new() }
        } else {
            Unasked::All(VecDeque::new())
        };
        Watch { space, keys, unasked, bytes: 0, most: Most::default(), missed: 0, last: None }
    }

    /// Something that was there when it began.
    pub(super) fn begin_with(&mut self, first: Change) {
        self.most.changes += 1;
        self.most.bytes += weight(&first);
        self.keep(first);
    }

    pub(super) fn hear(&mut self, change: Change, now: Instant) {
        self.last = Some((now, change.by.clone()));
        if self.missed > 0 {
            self.missed += 1;
            return;
        }
        self.keep(change);
        // A single one is kept however large it is: it is what there is to say.
        let is_too_much = self.len() > self.most.changes || self.bytes > self.most.bytes && self.len() > 1;
        if is_too_much {
            self.missed = self.len() as u64;
            self.unasked.clear();
            (self.bytes, self.most) = (0, Most::default());
        }
    }

    /// What there is to say, if there is something.
    pub(super) fn answer(&mut self) -> Option<Reply> {
        if self.missed > 0 {
            let missed = std::mem::take(&mut self.missed);
            return Some(Reply::Refused(Refusal::Overflow { missed }));
        }
        let changes = self.take();
        (!changes.is_empty()).then_some(Reply::Changes(changes))
    }

    fn len(&self) -> usize {
        match &self.unasked {
            Unasked::All(changes) => changes.len(),
            Unasked::Last { changes, .. } => changes.len(),
        }
    }

    fn keep(&mut self, change: Change) {
        self.bytes += weight(&change);
        let replaced = self.unasked.push(change);
        self.bytes -= replaced.as_ref().map_or(0, weight);
    }

    /// The first ones, as many as fit into an answer, and one at least.
    fn take(&mut self) -> Vec<Change> {
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while bytes < ANSWERED_BYTES {
            let Some(change) = self.unasked.pop() else {
                self.most = Most::default();
                break;
            };
            bytes += weight(&change);
            taken.push(change);
        }
        self.bytes -= bytes;
        taken
    }
}

impl Unasked {
    /// What was kept and is no longer needed.
    fn push(&mut self, change: Change) -> Option<Change> {
        match self {
            Unasked::All(changes) => {
                changes.push_back(change);
                None
            }
            Unasked::Last { changes, versions } => {
                let before = versions.insert(change.key.clone(), change.version);
                let replaced = before.and_then(|version| changes.remove(&(version, change.key.clone())));
                changes.insert((change.version, change.key.clone()), change);
                replaced
            }
        }
    }

    fn pop(&mut self) -> Option<Change> {
        match self {
            Unasked::All(changes) => changes.pop_front(),
            Unasked::Last { changes, versions } => {
                let (_, change) = changes.pop_first()?;
                versions.remove(&change.key);
                Some(change)
            }
        }
    }

    /// Nothing is kept, not even the room for it.
    fn clear(&mut self) {
        match self {
            Unasked::All(changes) => *changes = VecDeque::new(),
            Unasked::Last { changes, versions } => (*changes, *versions) = (BTreeMap::new(), HashMap::new()),
        }
    }
}

impl Default for Most {
    fn default() -> Most {
        Most { changes: WATCHED_CHANGES, bytes: WATCHED_BYTES }
    }
}

fn weight(change: &Change) -> usize {
    let value = change.value.as_ref().map_or(0, |value| value.type_name.len() + value.bytes.len());
    CHANGE_BYTES + change.key.space.len() + change.key.name.len() + change.by.name.len() + value
}
