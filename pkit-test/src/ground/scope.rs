//! The processes of one stack: what each name means, and who is to be stopped.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::Ground;
use crate::error::Result;
use crate::handle::Core;
use crate::place::{Claim, Place, hold_all};
use crate::sync::lock;

/// All processes of one stack.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(super) members: Mutex<BTreeMap<String, Member>>,
    pub(super) outer: Option<Arc<Scope>>,
    is_cancelled: AtomicBool,
    /// The body has ended: what is dropped from now on the test has not dropped.
    has_body_ended: AtomicBool,
    /// Its end is under way, in its order.
    is_ending: AtomicBool,
    /// The fixed ports that its members want, until all of them have said so.
    claims: Mutex<Option<Vec<Claim>>>,
    cores: Mutex<Vec<Arc<Core>>>,
    /// Somebody else reports at the end; a handle by itself reports where it is dropped.
    pub(crate) is_managed: bool,
}

#[derive(Debug, Default)]
pub(super) struct Member {
    pub(super) place: Option<Arc<Place>>,
    pub(super) core: Weak<Core>,
    values: BTreeMap<String, String>,
    /// Of a stack inside a stack: what its own members mean. It knows us, and both together would never end.
    pub(super) inner: Weak<Scope>,
    is_up: bool,
}

impl Scope {
    pub(crate) fn managed(outer: Option<&Ground>) -> Arc<Scope> {
        let outer = outer.map(|ground| Arc::clone(&ground.scope));
        let claims = Mutex::new(Some(Vec::new()));
        Arc::new(Scope { is_managed: true, outer, claims, ..Scope::default() })
    }

    /// Takes a claim to be met with all others of the outermost stack that is being placed. Gives it back where none is.
    pub(super) fn defer(&self, claim: Claim) -> Option<Claim> {
        let claim = match &self.outer {
            Some(outer) => outer.defer(claim)?,
            None => claim,
        };
        match &mut *lock(&self.claims) {
            Some(claims) => claims.push(claim),
            None => return Some(claim),
        }
        None
    }

    /// All members have said which ports they want: waits for them, unless that is up to an outer stack.
    pub(crate) fn meet_claims(&self) -> Result<()> {
        let claims = lock(&self.claims).take().unwrap_or_default();
        hold_all(&claims, &|| self.is_cancelled())
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

    /// Notes that the body has ended and its handles are about to be dropped, in whatever order.
    pub(crate) fn note_body_end(&self) {
        self.has_body_ended.store(true, Ordering::Relaxed);
    }

    /// Notes that its end has begun.
    pub(crate) fn note_ending(&self) {
        self.is_ending.store(true, Ordering::Relaxed);
    }

    /// Whether the test is done with it, so that its end decides what becomes of what is dropped.
    pub(crate) fn is_done(&self) -> bool {
        let is_done =
            |scope: &Scope| [&scope.has_body_ended, &scope.is_ending].iter().any(|is| is.load(Ordering::Relaxed));
        is_done(self) || self.outer.as_ref().is_some_and(|outer| outer.is_done())
    }

    /// Whether its end is still to come, and stops what is dropped meanwhile.
    pub(crate) fn is_end_near(&self) -> bool {
        let is_near = self.has_body_ended.load(Ordering::Relaxed) && !self.is_ending.load(Ordering::Relaxed);
        is_near || self.outer.as_ref().is_some_and(|outer| outer.is_end_near())
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
        let inner = member.inner.upgrade();
        let inner = inner.filter(|inner| path.len() > 1 && lock(&inner.members).contains_key(&path[1]));
        if let Some(inner) = inner {
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
