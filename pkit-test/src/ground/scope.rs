//! The processes of one stack: what each name means, and who is to be stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::Ground;
use crate::error::Result;
use crate::handle::Core;
use crate::place::Place;
use crate::sync::lock;

/// All processes of one stack.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(super) members: Mutex<BTreeMap<String, Member>>,
    pub(super) outer: Option<Arc<Scope>>,
    is_cancelled: AtomicBool,
    is_ending: AtomicBool,
    cores: Mutex<Vec<Arc<Core>>>,
    /// Somebody else reports at the end; a handle by itself reports where it is dropped.
    pub(crate) is_managed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Member {
    pub(super) place: Option<Arc<Place>>,
    pub(super) core: Weak<Core>,
    values: BTreeMap<String, String>,
    /// Of a stack inside a stack: what its own members mean.
    pub(super) inner: Option<Arc<Scope>>,
    is_up: bool,
}

impl Scope {
    pub(crate) fn managed(outer: Option<&Ground>) -> Arc<Scope> {
        let outer = outer.map(|ground| Arc::clone(&ground.scope));
        Arc::new(Scope { is_managed: true, outer, ..Scope::default() })
    }

    /// Declares a name, so that it means something from now on.
    pub(crate) fn declare(&self, name: &str) {
        lock(&self.members).entry(name.to_owned()).or_default();
    }

    pub(crate) fn knows(&self, name: &str) -> bool {
        lock(&self.members).contains_key(name) || self.outer.as_ref().is_some_and(|outer| outer.knows(name))
    }

    /// Whether it is known where this process will be.
    pub(crate) fn has_place(&self, name: &str) -> bool {
        let found = lock(&self.members).get(name).map(|member| member.place.is_some());
        found.unwrap_or_else(|| self.outer.as_ref().is_some_and(|outer| outer.has_place(name)))
    }

    /// The process of the stack that has reserved this port.
    pub(crate) fn holder(&self, port: u16) -> Option<String> {
        let has_it = |place: &Arc<Place>| place.ports.iter().any(|(_, number)| *number == port);
        let members = lock(&self.members);
        let found = members.iter().find(|(_, member)| member.place.as_ref().is_some_and(has_it));
        found.map(|(name, _)| name.clone()).or_else(|| self.outer.as_ref()?.holder(port))
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = lock(&self.members).keys().cloned().collect();
        names.extend(self.outer.iter().flat_map(|outer| outer.names()));
        names
    }

    /// Notes what a process that is up means to others.
    pub(crate) fn publish(&self, name: &str, core: Option<&Arc<Core>>, values: Vec<(String, String)>) {
        let mut members = lock(&self.members);
        let member = members.entry(name.to_owned()).or_default();
        member.is_up = true;
        member.values.extend(values);
        if let Some(core) = core {
            member.core = Arc::downgrade(core);
            member.place.get_or_insert_with(|| Arc::clone(core.place()));
        }
    }

    /// Everything that was started here, in order of start.
    pub(crate) fn cores(&self) -> Vec<Arc<Core>> {
        lock(&self.cores).clone()
    }

    /// Lets every start that is under way give up.
    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        for core in self.cores() {
            core.wake();
        }
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed) || self.outer.as_ref().is_some_and(|outer| outer.is_cancelled())
    }

    /// From now on a handle that is dropped stops nothing: whoever conducts the end does.
    pub(crate) fn begin_end(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_ending(&self) -> bool {
        self.is_ending.load(Ordering::Relaxed) || self.outer.as_ref().is_some_and(|outer| outer.is_ending())
    }

    /// Lets all of them go: a core knows its scope, and without this neither would ever end.
    pub(crate) fn forget_cores(&self) {
        let cores = std::mem::take(&mut *lock(&self.cores));
        drop(cores);
    }

    pub(super) fn register(&self, core: &Arc<Core>) {
        lock(&self.cores).push(Arc::clone(core));
        // So that whoever stops or cancels the outer stack reaches it.
        self.outer.iter().for_each(|outer| outer.register(core));
    }

    /// Looks here, then further out; and inside of a member that is a stack.
    pub(super) fn find(&self, path: &[String]) -> Option<Found> {
        let members = lock(&self.members);
        let Some(member) = members.get(&path[0]) else {
            drop(members);
            return self.outer.as_ref()?.find(path);
        };
        let inner = member.inner.as_ref().filter(|inner| path.len() > 1 && lock(&inner.members).contains_key(&path[1]));
        if let Some(inner) = inner.cloned() {
            drop(members);
            return inner.find(&path[1..]);
        }
        let rest = path[1..].join(".");
        let (place, is_up) = (member.place.clone(), member.is_up);
        let keys = member.values.keys().cloned().collect();
        let known = member.values.get(&rest).cloned().map(Ok);
        // A directory is made when it is asked for, which is nothing to do under a lock.
        drop(members);
        let value = known.or_else(|| place.and_then(|place| place.value(&rest)));
        Some(Found { rest, value, is_up, keys })
    }
}

/// What is known of a member for a hole.
pub(super) struct Found {
    pub(super) rest: String,
    pub(super) value: Option<Result<String>>,
    pub(super) is_up: bool,
    pub(super) keys: Vec<String>,
}
