//! The processes of one stack: what each name means, and who is to be stopped.
//!
//! The parts of an executor are members too, under the name of the whole, a dot and their own: `cluster.replica`. A name is
//! looked for from the inside out: among the parts of the member that asks, then beside it, beside what it is part of, and
//! so on to the stack around the stack.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use super::Ground;
use super::last::Lasts;
use crate::error::Result;
use crate::guardian::client::Guardian;
use crate::guardian::lease::Environment;
use crate::handle::Core;
use crate::network::{Network, Stay};
use crate::place::{Claim, Place, hold_all};
use crate::record::Part;
use crate::supervise::{Desk, Limits};
use crate::sync::lock;

/// All processes of one stack.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    pub(super) members: Mutex<BTreeMap<String, Member>>,
    /// Of a stack in a stack: where that was started.
    pub(super) outer: Option<Ground>,
    is_cancelled: AtomicBool,
    /// The body has ended: what is dropped from now on the test has not dropped.
    has_body_ended: AtomicBool,
    /// Its end is under way, in its order.
    is_ending: AtomicBool,
    /// The fixed ports that its members want, until all of them have said so.
    claims: Mutex<Option<Vec<Claim>>>,
    cores: Mutex<Vec<(String, Arc<Core>)>>,
    /// What is done when all of them are down.
    pub(super) lasts: Lasts,
    /// Which test it is of.
    pub(crate) part: Part,
    /// Where the supervisor of these processes hears of them.
    pub(crate) desk: Arc<Desk>,
    pub(crate) limits: Limits,
    /// All of it has been up.
    is_up: AtomicBool,
    /// Somebody else reports at the end; a handle by itself reports where it is dropped.
    pub(crate) is_managed: bool,
    /// Where its processes are: in the network of the thread that started it, where the test has one.
    network: Option<Network>,
    /// The same of what is started by itself, and what keeps that thread there: for a stack somebody else does.
    stay: Option<Stay>,
    /// Of what is started for others as well: whose it is.
    lent: Option<Lent>,
    /// What is started for others from here, for as long as it takes.
    apart: Mutex<Vec<Weak<Scope>>>,
}

/// What something that outlives this process is started with, in place of what this process has.
#[derive(Debug, Clone)]
struct Lent {
    guardian: Arc<Guardian>,
    environment: Environment,
}

#[derive(Debug, Default)]
pub(super) struct Member {
    pub(super) place: Option<Arc<Place>>,
    pub(super) core: Weak<Core>,
    pub(super) values: BTreeMap<String, String>,
    /// The members that are ready before it.
    needs: Vec<String>,
    /// Of a stack inside a stack: what its own members mean. It lives as long as the inner stack does, which holds on to
    /// this scope: the other way round neither would ever end, and their places would stay reserved.
    pub(super) inner: Weak<Scope>,
    /// Of what somebody else has started: the environment that it is started in.
    pub(super) environment: Option<Environment>,
    /// Where it is nobody knows before it is there.
    pub(super) is_late: bool,
    is_up: bool,
}

impl Scope {
    pub(crate) fn managed(outer: Option<&Ground>, limits: Limits) -> Arc<Scope> {
        let part = outer.map_or_else(Part::scope, |outer| outer.scope.part.inner());
        let claims = Mutex::new(Some(Vec::new()));
        let desk = Desk::new(outer.map(|outer| Arc::clone(&outer.scope.desk)));
        let network = outer.map_or_else(Network::here, |outer| outer.scope.network().cloned());
        let outer = outer.cloned();
        Arc::new(Scope { is_managed: true, outer, claims, part, desk, limits, network, ..Scope::default() })
    }

    /// That of a process, or of an executor, that is started by itself.
    pub(super) fn alone(stay: Option<Stay>) -> Arc<Scope> {
        Arc::new(Scope { stay, ..Scope::default() })
    }

    /// That of something that others are to have as well, and of which this test has nothing: apart from whatever the test has.
    pub(super) fn starting(guardian: Arc<Guardian>, environment: Environment) -> Arc<Scope> {
        let (part, lent) = (Part::apart(), Some(Lent { guardian, environment }));
        Arc::new(Scope { is_managed: true, part, lent, ..Scope::default() })
    }

    fn lent(&self) -> Option<&Lent> {
        self.lent.as_ref().or_else(|| self.outer.as_ref()?.scope.lent())
    }

    /// Who owns what is started here, where that is not the guardian of this process.
    pub(crate) fn guardian(&self) -> Option<Arc<Guardian>> {
        self.lent().map(|lent| Arc::clone(&lent.guardian))
    }

    /// The environment that a member is started in, where that is not this process's own.
    pub(super) fn environment_of(&self, name: &str) -> Option<Environment> {
        let own = lock(&self.members).get(name).and_then(|member| member.environment.clone());
        own.or_else(|| self.lent().map(|lent| Arc::clone(&lent.environment)))
    }

    /// Lets all of it be, for others: from here on nothing that this process does with it or with its places has any effect.
    pub(super) fn hand_over(&self) {
        let members: Vec<_> = {
            let members = lock(&self.members);
            members.values().map(|member| (member.place.clone(), member.inner.upgrade())).collect()
        };
        for (place, inner) in members {
            place.iter().for_each(|place| place.keep());
            inner.iter().for_each(|inner| inner.hand_over());
        }
        self.cores().iter().for_each(|core| core.hand_over());
        self.forget_cores();
    }

    /// The network that its processes are in, if the test has one of its own.
    pub(crate) fn network(&self) -> Option<&Network> {
        self.network.as_ref().or_else(|| self.stay.as_ref().map(Stay::network))
    }

    /// Takes a claim to be met with all others of the outermost stack that is being placed. Gives it back where none is.
    pub(super) fn defer(&self, claim: Claim) -> Option<Claim> {
        let claim = match &self.outer {
            Some(outer) => outer.scope.defer(claim)?,
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

    /// The name of a member for people, who see all stacks at once: `inner.db`.
    pub(crate) fn full_name(&self, name: &str) -> String {
        self.outer.as_ref().map_or_else(|| name.to_owned(), |outer| part(&outer.full_name(), name))
    }

    /// Declares a name, so that it means something from now on, and what is to be ready before it.
    pub(crate) fn declare(&self, name: &str, needs: Vec<String>) {
        lock(&self.members).entry(name.to_owned()).or_default().needs = needs;
    }

    /// Whether a name means something to its members.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.knows_from("", name)
    }

    pub(super) fn knows_from(&self, from: &str, name: &str) -> bool {
        let path = [name.to_owned()];
        let is_known = resolve(&lock(&self.members), from, &path).is_some();
        is_known || self.outer.as_ref().is_some_and(|outer| outer.knows(name))
    }

    /// Whether it is known where this process will be.
    pub(super) fn has_place(&self, from: &str, name: &str) -> bool {
        let members = lock(&self.members);
        match resolve(&members, from, &[name.to_owned()]) {
            Some((name, _)) => members[&name].place.is_some(),
            None => {
                drop(members);
                self.outer.as_ref().is_some_and(|outer| outer.has_place(name))
            }
        }
    }

    /// Whether nobody knows where it is before it is there.
    pub(super) fn is_late(&self, from: &str, name: &str) -> bool {
        let found = resolve(&lock(&self.members), from, &[name.to_owned()]);
        match found {
            Some((name, _)) => lock(&self.members).get(&name).is_some_and(|member| member.is_late),
            None => self.outer.as_ref().is_some_and(|outer| outer.scope.is_late(&outer.name, name)),
        }
    }

    /// The process of the stack that has reserved this port.
    pub(crate) fn holder(&self, port: u16) -> Option<String> {
        let has_it = |place: &Arc<Place>| place.ports.iter().any(|(_, number)| *number == port);
        let found = {
            let members = lock(&self.members);
            let found = members.values().filter_map(|member| member.place.as_ref()).find(|place| has_it(place));
            found.map(|place| place.name.clone())
        };
        // Without the lock: whoever looks for a name takes that of the outer stack first.
        found.or_else(|| self.outer.as_ref()?.scope.holder(port))
    }

    pub(super) fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = lock(&self.members).keys().cloned().collect();
        names.extend(self.outer.iter().flat_map(|outer| outer.scope.names()));
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
        lock(&self.cores).iter().map(|(_, core)| Arc::clone(core)).collect()
    }

    /// Everything that was started here and in whatever is around this.
    pub(crate) fn outermost_cores(&self) -> Vec<Arc<Core>> {
        self.outer.as_ref().map_or_else(|| self.cores(), |outer| outer.scope.outermost_cores())
    }

    /// What one member has started, its parts included, in order of start.
    pub(crate) fn cores_of(&self, name: &str) -> Vec<Arc<Core>> {
        let is_its = |by: &str| by.strip_prefix(name).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
        let cores = lock(&self.cores);
        cores.iter().filter(|(by, _)| is_its(by)).map(|(_, core)| Arc::clone(core)).collect()
    }

    /// Whether that member is a stack itself.
    pub(super) fn is_stack(&self, name: &str) -> bool {
        let here = lock(&self.members).get(name).map(|member| member.inner.strong_count() > 0);
        here.unwrap_or_else(|| self.outer.as_ref().is_some_and(|outer| outer.scope.is_stack(name)))
    }

    /// What is there when a member is ready: its own processes, or where it has none, those that it needs.
    pub(crate) fn cores_behind(&self, name: &str) -> Vec<Arc<Core>> {
        let Some(needs) = lock(&self.members).get(name).map(|member| member.needs.clone()) else {
            return self.outer.as_ref().map(|outer| outer.scope.cores_behind(name)).unwrap_or_default();
        };
        let own = self.cores_of(name);
        if own.is_empty() { needs.iter().flat_map(|need| self.cores_behind(need)).collect() } else { own }
    }

    /// The processes of those members that need this one, as far as they need no other one for it.
    pub(crate) fn cores_before(&self, name: &str) -> Vec<Arc<Core>> {
        let needing: Vec<String> = {
            let members = lock(&self.members);
            let needs_it = |member: &Member| member.needs.iter().any(|need| need == name);
            members.iter().filter(|(_, member)| needs_it(member)).map(|(name, _)| name.clone()).collect()
        };
        let of_one = |name: &String| {
            let own = self.cores_of(name);
            if own.is_empty() { self.cores_before(name) } else { own }
        };
        needing.iter().flat_map(of_one).collect()
    }

    /// Notes that all of it is up: from now on a supervisor looks after what is to be looked after.
    pub(crate) fn note_up(&self) {
        self.is_up.store(true, Ordering::Relaxed);
    }

    /// Whether it is, where several start together.
    pub(crate) fn is_up(&self) -> bool {
        self.is_up.load(Ordering::Relaxed) || !self.is_managed
    }

    /// Lets every start that is under way give up.
    pub(crate) fn cancel(&self) {
        self.is_cancelled.store(true, Ordering::Relaxed);
        for core in self.cores() {
            core.wake();
        }
        // Without the lock: it is taken by whoever starts something more.
        let apart: Vec<_> = lock(&self.apart).iter().filter_map(Weak::upgrade).collect();
        apart.iter().for_each(|apart| apart.cancel());
    }

    /// Notes something that is started for others, and given up with whatever is around it.
    pub(super) fn note_apart(&self, apart: &Arc<Scope>) {
        let mut known = lock(&self.apart);
        known.retain(|known| known.strong_count() > 0);
        known.push(Arc::downgrade(apart));
        drop(known);
        self.outer.iter().for_each(|outer| outer.scope.note_apart(apart));
    }

    pub(super) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed) || self.outer.as_ref().is_some_and(Ground::is_cancelled)
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
        is_done(self) || self.outer.as_ref().is_some_and(|outer| outer.scope.is_done())
    }

    /// Whether its end is still to come, and stops what is dropped meanwhile.
    pub(crate) fn is_end_near(&self) -> bool {
        let is_near = self.has_body_ended.load(Ordering::Relaxed) && !self.is_ending.load(Ordering::Relaxed);
        is_near || self.outer.as_ref().is_some_and(|outer| outer.scope.is_end_near())
    }

    /// From now on no supervisor starts anything again, here and further in. What is under way is given up.
    pub(crate) fn close_desk(&self) {
        self.desk.close();
        for core in self.cores() {
            core.wake();
        }
    }

    /// Lets all of them go: a core knows its scope, and without this neither would ever end.
    pub(crate) fn forget_cores(&self) {
        self.part.close();
        let cores = std::mem::take(&mut *lock(&self.cores));
        drop(cores);
    }

    pub(super) fn register(&self, member: &str, core: &Arc<Core>) {
        lock(&self.cores).push((member.to_owned(), Arc::clone(core)));
        // So that whoever stops or cancels the outer stack reaches it.
        self.outer.iter().for_each(|outer| outer.scope.register(&outer.name, core));
    }

    /// Looks here, then further out; and inside of a member that is a stack.
    pub(super) fn find(&self, from: &str, path: &[String]) -> Option<Found> {
        let members = lock(&self.members);
        let Some((name, used)) = resolve(&members, from, path) else {
            drop(members);
            return self.outer.as_ref()?.find(path);
        };
        let (member, rest) = (&members[&name], &path[used..]);
        if let Some(inner) = member.inner_of(rest) {
            drop(members);
            return inner.find("", rest);
        }
        let rest = rest.join(".");
        let (place, is_up, core) = (member.place.clone(), member.is_up, member.core.upgrade());
        let mut keys: Vec<String> = member.values.keys().cloned().collect();
        keys.extend(place.iter().flat_map(|place| place.keys()));
        keys.sort_unstable();
        keys.dedup();
        let known = member.values.get(&rest).cloned().map(Ok);
        // A directory is made when it is asked for, which is nothing to do under a lock.
        drop(members);
        let value = known.or_else(|| place.and_then(|place| place.value(&rest)));
        Some(Found { name, rest, value, is_up, keys, core })
    }
}

impl Member {
    /// The stack that it is, where the next part of a path is one of its members.
    fn inner_of(&self, rest: &[String]) -> Option<Arc<Scope>> {
        let next = rest.first()?;
        self.inner.upgrade().filter(|inner| lock(&inner.members).contains_key(next))
    }
}

/// The member that the first parts of a path mean to another one, and how many parts that are.
fn resolve(members: &BTreeMap<String, Member>, from: &str, path: &[String]) -> Option<(String, usize)> {
    let first = path.first()?;
    let outwards = std::iter::successors(Some(from), |at| (!at.is_empty()).then(|| around(at)));
    let found = outwards.map(|at| part(at, first)).find(|name| members.contains_key(name));
    found.map(|name| deepest(members, name, path))
}

/// The part of a part, as long as there is one.
fn deepest(members: &BTreeMap<String, Member>, name: String, path: &[String]) -> (String, usize) {
    let parts = path[1..].iter().scan(name.clone(), |name, next| {
        *name = part(name, next);
        members.contains_key(name).then(|| name.clone())
    });
    parts.zip(2..).last().unwrap_or((name, 1))
}

/// What a member is part of; nothing for one that is whole.
fn around(name: &str) -> &str {
    name.rsplit_once('.').map_or("", |(outer, _)| outer)
}

/// The full name of a part.
pub(super) fn part(of: &str, name: &str) -> String {
    if of.is_empty() { name.to_owned() } else { format!("{of}.{name}") }
}

/// What is known of a member for a hole.
pub(super) struct Found {
    /// Its full name in its stack.
    pub(super) name: String,
    pub(super) rest: String,
    pub(super) value: Option<Result<String>>,
    pub(super) is_up: bool,
    pub(super) keys: Vec<String>,
    /// The process that it is, if it is one and up.
    pub(super) core: Option<Arc<Core>>,
}
