//! What a start stands on: names and what they mean, ports, directories, and the way to give up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::Instant;

use crate::error::{Error, Kind, Result};
use crate::handle::{Core, Process};
use crate::place::{Patience, Place, Wish};
use crate::sync::lock;
use crate::template::{Hole, Template};

/// Anything that can be brought up and taken down.
///
/// A [`Spec`](crate::Spec) is one, and so is a whole [`Orchestra`](crate::Orchestra). Write your own where a start is
/// more than a process that becomes ready; it is usually a spec and what has to happen around it:
///
/// ```
/// use pkit_test::{Executor, Ground, Need, Process, Result, Spec, simple};
///
/// /// A process, and a file that it finds when it starts.
/// struct WithConfig(Spec);
///
/// impl Executor for WithConfig {
///     type Handle = Process;
///
///     fn needs(&self) -> Vec<Need> { self.0.needs() }
///     fn place(&mut self, ground: &Ground) -> Result<()> { self.0.place(ground) }
///
///     fn start_on(self, ground: &Ground) -> Result<Process> {
///         let config = ground.fill("{dir}/config")?;
///         std::fs::write(config, "verbose = true\n").expect("the directory is ours");
///         self.0.start_on(ground)
///     }
///
///     fn process(handle: &Process) -> Option<&Process> { Some(handle) }
/// }
///
/// # fn main() -> Result<()> {
/// let stack = pkit_test::orchestra().with("app", WithConfig(simple("cat {dir}/config").may_exit())).start()?;
/// let app: &Process = stack.get("app");
/// app.wait()?;
/// assert_eq!(app.stdout(), "verbose = true\n");
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an executor: it cannot be started",
    label = "not something that can be started",
    note = "a spec is one, as `tcp(..)`, `http(..)`, `output(..)` and `simple(..)` make it; so is an orchestra"
)]
pub trait Executor: Send {
    /// Proof that it is ready, and the way to it. Dropping it takes it down.
    type Handle: Send + 'static;

    /// The processes that it names: those it waits for, and those whose place it only wants to know.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    /// Reserves ports and directories, before anything of the stack is started, so that others may know them.
    ///
    /// # Errors
    ///
    /// When something cannot be reserved.
    fn place(&mut self, ground: &Ground) -> Result<()> {
        let _ = ground;
        Ok(())
    }

    /// Brings it up: blocks until it is ready, or says why it is not and has left nothing.
    ///
    /// # Errors
    ///
    /// When it did not become ready.
    fn start_on(self, ground: &Ground) -> Result<Self::Handle>
    where
        Self: Sized;

    /// The process behind a handle, if there is one.
    fn process(handle: &Self::Handle) -> Option<&Process> {
        let _ = handle;
        None
    }

    /// What its holes mean besides those of its process: `("url", "redis://…")` is `{name.url}`.
    fn values(handle: &Self::Handle) -> Vec<(String, String)> {
        let _ = handle;
        Vec::new()
    }
}

/// Another process that an executor names.
///
/// ```
/// use pkit_test::{Executor, tcp};
/// let needs = tcp("api --db {db.addr} --peer {&other.addr}", 0).needs();
/// assert_eq!(needs.len(), 2);
/// assert_eq!((needs[0].name(), needs[0].is_ordered()), ("db", true));
/// assert_eq!((needs[1].name(), needs[1].is_ordered()), ("other", false));
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Need {
    name: String,
    is_ordered: bool,
    /// As it was written, for errors.
    pub(crate) text: String,
    /// A name in a regex means a process only where there is one.
    pub(crate) is_optional: bool,
}

impl Need {
    /// It has to be ready first.
    #[must_use]
    pub fn first(name: impl Into<String>) -> Need {
        let name = name.into();
        Need { text: format!("after({name:?})"), name, is_ordered: true, is_optional: false }
    }

    pub(crate) fn of_hole(hole: &Hole) -> Option<Need> {
        if hole.is_own() {
            return None;
        }
        Some(Need {
            name: hole.name().to_owned(),
            is_ordered: !hole.unordered,
            text: hole.text.clone(),
            is_optional: false,
        })
    }

    /// The same, where it may be no process at all.
    pub(crate) fn optional(self) -> Need {
        Need { is_optional: true, ..self }
    }

    /// The name of the other process.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has to be ready first.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.is_ordered
    }
}

/// What a start stands on: it fills holes, knows the other processes, and says when to give up.
///
/// An executor gets one for the name under which it is started.
#[derive(Debug, Clone)]
pub struct Ground {
    name: String,
    scope: Arc<Scope>,
}

/// All processes of one stack.
#[derive(Debug, Default)]
pub(crate) struct Scope {
    members: Mutex<BTreeMap<String, Member>>,
    outer: Option<Arc<Scope>>,
    is_cancelled: AtomicBool,
    cores: Mutex<Vec<Arc<Core>>>,
    /// Somebody else reports at the end; a handle by itself reports where it is dropped.
    pub(crate) is_managed: bool,
}

#[derive(Debug, Default)]
struct Member {
    place: Option<Arc<Place>>,
    core: Weak<Core>,
    values: BTreeMap<String, String>,
    /// Of a stack inside a stack: what its own members mean.
    inner: Option<Arc<Scope>>,
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

    fn names(&self) -> Vec<String> {
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

    fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Ordering::Relaxed) || self.outer.as_ref().is_some_and(|outer| outer.is_cancelled())
    }

    /// Lets all of them go: a core knows its scope, and without this neither would ever end.
    pub(crate) fn forget_cores(&self) {
        let cores = std::mem::take(&mut *lock(&self.cores));
        drop(cores);
    }

    fn register(&self, core: &Arc<Core>) {
        lock(&self.cores).push(Arc::clone(core));
        // So that whoever stops or cancels the outer stack reaches it.
        self.outer.iter().for_each(|outer| outer.register(core));
    }
}

impl Ground {
    /// The ground of a process that is started by itself.
    pub(crate) fn alone(name: String) -> Ground {
        Ground { name, scope: Arc::new(Scope::default()) }
    }

    pub(crate) fn member(name: &str, scope: &Arc<Scope>) -> Ground {
        Ground { name: name.to_owned(), scope: Arc::clone(scope) }
    }

    /// The name under which it is started.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether another start of the same stack has failed, so that this one is not wanted any more.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.scope.is_cancelled()
    }

    /// Fills the holes of a text: `{dir}` and `{port}` of this process, `{db.addr}` of another.
    ///
    /// # Errors
    ///
    /// When a hole means nothing here.
    pub fn fill(&self, text: &str) -> Result<String> {
        Template::parse(text).render(&mut |hole| self.value(hole))
    }

    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// Declares where this process will be.
    pub(crate) fn settle(&self, place: &Arc<Place>) {
        let mut members = lock(&self.scope.members);
        members.entry(self.name.clone()).or_default().place = Some(Arc::clone(place));
    }

    /// Declares what the members of this stack mean to others: `{stack.member.port}`.
    pub(crate) fn settle_inner(&self, inner: &Arc<Scope>) {
        let mut members = lock(&self.scope.members);
        members.entry(self.name.clone()).or_default().inner = Some(Arc::clone(inner));
    }

    /// The place that was reserved for this name.
    pub(crate) fn place(&self) -> Option<Arc<Place>> {
        lock(&self.scope.members).get(&self.name)?.place.clone()
    }

    /// Notes a process for the end of the scope. One that is started by itself ends with its handle.
    pub(crate) fn register(&self, core: &Arc<Core>) {
        if self.scope.is_managed {
            self.scope.register(core);
        }
    }

    /// The process behind another name, if it is up and one process.
    pub(crate) fn core_of(&self, name: &str) -> Option<Arc<Core>> {
        let mut scope = Some(&self.scope);
        while let Some(here) = scope {
            if let Some(member) = lock(&here.members).get(name) {
                return member.core.upgrade();
            }
            scope = here.outer.as_ref();
        }
        None
    }

    /// What a hole means here.
    pub(crate) fn value(&self, hole: &Hole) -> Result<String> {
        if hole.name() == "env" {
            return env_value(hole);
        }
        if hole.is_own() {
            return self.own_value(hole);
        }
        if !self.scope.knows(hole.name()) {
            return Err(self.unknown(hole));
        }
        self.member_value(hole)
    }

    fn own_value(&self, hole: &Hole) -> Result<String> {
        let place = match self.place() {
            Some(place) => place,
            None => self.reserve_nothing()?,
        };
        place.value(&hole.path.join(".")).unwrap_or_else(|| {
            let why = match hole.path.get(1) {
                Some(port) if hole.name() != "env" => {
                    format!("no port `{port}` was declared; `.port({port:?})` does it")
                }
                _ => "it has none".to_owned(),
            };
            Err(hole_error(&self.name, hole, &why))
        })
    }

    /// A place with a directory and no port, for an executor that reserved nothing.
    fn reserve_nothing(&self) -> Result<Arc<Place>> {
        let place =
            Place::reserve(&self.name, &Wish::default(), &Patience { deadline: Instant::now(), is_over: &|| true })?;
        let place = Arc::new(place);
        self.settle(&place);
        Ok(place)
    }

    fn member_value(&self, hole: &Hole) -> Result<String> {
        let Some(found) = self.scope.find(&hole.path) else { return Err(self.unknown(hole)) };
        let Found { rest, value, is_up, keys } = found;
        value.unwrap_or_else(|| {
            let name = hole.name();
            let why = match rest.as_str() {
                "" => format!("it needs a part, as in {{{name}.addr}}"),
                "port" | "addr" | "url" => format!("`{name}` has no port"),
                "pid" if !is_up => format!("`{name}` has no pid before it is started"),
                _ if keys.is_empty() => format!("`{name}` has no `{rest}`"),
                _ => format!("`{name}` has no `{rest}`, but {}", keys.join(", ")),
            };
            Err(hole_error(&self.name, hole, &why))
        })
    }

    pub(crate) fn unknown(&self, hole: &Hole) -> Error {
        unknown_name(&self.name, &hole.text, hole.name(), &self.scope.names())
    }
}

/// What is known of a member for a hole.
struct Found {
    rest: String,
    value: Option<Result<String>>,
    is_up: bool,
    keys: Vec<String>,
}

impl Scope {
    /// Looks here, then further out; and inside of a member that is a stack.
    fn find(&self, path: &[String]) -> Option<Found> {
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

/// An error about a name that means nothing, with those that do.
pub(crate) fn unknown_name(process: &str, text: &str, name: &str, known: &[String]) -> Error {
    let others: Vec<String> =
        known.iter().filter(|known| *known != process).map(|known| format!("`{known}`")).collect();
    let why = if others.is_empty() {
        format!("there is no process `{name}`: it is started by itself")
    } else {
        format!("there is no process `{name}`, but {}", others.join(", "))
    };
    Error::new(Kind::UnknownDependency, format!("`{process}` was not started: {text} means nothing here"))
        .fact("why", why)
        .fact("hint", literal_hint(text))
}

/// How to say that no hole was meant.
fn literal_hint(text: &str) -> String {
    if text.starts_with('{') { format!("write {{{text}}} where the text {text} is meant") } else { String::new() }
}

fn hole_error(process: &str, hole: &Hole, why: &str) -> Error {
    Error::new(Kind::Spec, format!("`{process}` was not started: {} means nothing here", hole.text)).fact("why", why)
}

fn env_value(hole: &Hole) -> Result<String> {
    let name = hole.rest();
    match std::env::var(&name) {
        Ok(value) => Ok(value),
        Err(std::env::VarError::NotPresent) => {
            Err(Error::new(Kind::Spec, format!("{} means nothing here: `{name}` is not set", hole.text)))
        }
        Err(std::env::VarError::NotUnicode(_)) => {
            Err(Error::new(Kind::Spec, format!("{} cannot be used: `{name}` is not UTF-8", hole.text)))
        }
    }
}
