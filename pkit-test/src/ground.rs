//! What a start stands on: names and what they mean, ports, directories, and the way to give up.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::handle::{Core, Process};
use crate::place::{Claim, Place, Wish, hold_all};
use crate::sync::lock;
use crate::template::{Hole, Template};

mod scope;

use scope::Found;
pub(crate) use scope::Scope;

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
    /// Whoever wraps an executor passes this on. The fixed ports of a stack are waited for together, when all of its
    /// members were placed; one that is asked for later is waited for by a stack that keeps the others, and two such
    /// stacks can wait for each other until the time for the start is over.
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
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Result, orchestra, simple};
    ///
    /// struct Token;
    ///
    /// impl Executor for Token {
    ///     type Handle = String;
    ///     fn start_on(self, _: &Ground) -> Result<String> { Ok("s3cret".to_owned()) }
    ///     fn values(token: &String) -> Vec<(String, String)> { vec![("bearer".to_owned(), token.clone())] }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let stack = orchestra().with("token", Token).with("app", simple("echo {token.bearer}").may_exit()).start()?;
    /// stack["app"].wait()?;
    /// assert_eq!(stack["app"].stdout(), "s3cret\n");
    /// # Ok(()) }
    /// ```
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
    /// What says so, for errors; empty where nobody knows.
    pub(crate) spec: String,
}

impl Need {
    /// It has to be ready first.
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Need, Result, orchestra};
    ///
    /// struct Migration;
    ///
    /// impl Executor for Migration {
    ///     type Handle = ();
    ///     fn needs(&self) -> Vec<Need> { vec![Need::first("db")] }
    ///     fn start_on(self, _: &Ground) -> Result<()> { Ok(()) }
    /// }
    ///
    /// let error = orchestra().with("migration", Migration).start().unwrap_err();
    /// assert!(error.to_string().contains("there is no process `db`"));
    /// ```
    #[must_use]
    pub fn first(name: impl Into<String>) -> Need {
        let name = name.into();
        Need { text: format!("after({name:?})"), name, is_ordered: true, is_optional: false, spec: String::new() }
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
            spec: String::new(),
        })
    }

    /// The same, with what says so.
    pub(crate) fn of(self, spec: &str) -> Need {
        Need { spec: spec.to_owned(), ..self }
    }

    /// The same, where it may be no process at all.
    pub(crate) fn optional(self) -> Need {
        Need { is_optional: true, ..self }
    }

    /// The name of the other process: its first part where it is one of a stack in the stack.
    ///
    /// ```
    /// use pkit_test::{Executor, simple};
    /// let needs = simple("app --db {db.addr} --cache {inner.cache.port}").needs();
    /// assert_eq!(needs.iter().map(|need| need.name()).collect::<Vec<_>>(), ["db", "inner"]);
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it has to be ready first: `{db.addr}` and `after("db")` say so, `{&db.addr}` does not.
    ///
    /// ```
    /// use pkit_test::{Executor, simple};
    /// let needs = simple("node --join {&seed.addr}").after("registry").needs();
    /// assert_eq!(needs.iter().map(|need| need.is_ordered()).collect::<Vec<_>>(), [false, true]);
    /// ```
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        self.is_ordered
    }
}

/// What a start stands on: it fills holes, knows the other processes, and says when to give up.
///
/// An executor gets one for the name under which it is started.
///
/// ```
/// use pkit_test::{Executor, Ground, Result, orchestra};
///
/// /// A file that others find at `{notes.dir}/notes`.
/// struct Notes(&'static str);
///
/// impl Executor for Notes {
///     type Handle = std::path::PathBuf;
///     fn start_on(self, ground: &Ground) -> Result<std::path::PathBuf> {
///         let path = ground.fill("{dir}/notes")?.into();
///         std::fs::write(&path, self.0).expect("the directory is ours");
///         Ok(path)
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let stack = orchestra().with("notes", Notes("hello")).start()?;
/// let path: &std::path::PathBuf = stack.get("notes");
/// assert_eq!(std::fs::read_to_string(path).unwrap(), "hello");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Ground {
    name: String,
    scope: Arc<Scope>,
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
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Result, orchestra};
    ///
    /// struct Who;
    ///
    /// impl Executor for Who {
    ///     type Handle = String;
    ///     fn start_on(self, ground: &Ground) -> Result<String> { Ok(ground.name().to_owned()) }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let stack = orchestra().with("first", Who).with("second", Who).start()?;
    /// assert_eq!(stack.get::<String>("second"), "second");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether another start of the same stack has failed, so that this one is not wanted any more.
    ///
    /// An executor that waits by itself asks this now and then; the start of a spec does.
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Result, orchestra, simple};
    ///
    /// struct Patient;
    ///
    /// impl Executor for Patient {
    ///     type Handle = ();
    ///     fn start_on(self, ground: &Ground) -> Result<()> {
    ///         while !ground.is_cancelled() { std::thread::yield_now(); }
    ///         Ok(())
    ///     }
    /// }
    ///
    /// let error = orchestra().with("patient", Patient).with("broken", simple("no-such-program")).start().unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.scope.is_cancelled()
    }

    /// Fills the holes of a text: `{dir}` and `{port}` of this process, `{db.addr}` of another.
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Result, orchestra, simple};
    ///
    /// struct Settings;
    ///
    /// impl Executor for Settings {
    ///     type Handle = String;
    ///     fn start_on(self, ground: &Ground) -> Result<String> { ground.fill("port = {&app.port}") }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let stack = orchestra().with("settings", Settings).with("app", simple("echo {port}").may_exit()).start()?;
    /// assert_eq!(stack.get::<String>("settings"), &format!("port = {}", stack["app"].port()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When a hole means nothing here: no such process, no such port, no value of that name, or an environment variable
    /// that is not set.
    pub fn fill(&self, text: &str) -> Result<String> {
        Template::parse(text).render(&mut |hole| self.value(hole))
    }

    /// Refuses a hole for a port of another process that has none: its place is known, and that will not change.
    pub(crate) fn check_port(&self, need: &Need) -> Result<()> {
        let template = Template::parse(&need.text);
        let asks = |hole: &&Hole| hole.path.get(1).is_some_and(|key| key == "port" || key == "addr");
        let mut known = template.holes().filter(asks).filter(|hole| self.scope.has_place(hole.name()));
        known.try_for_each(|hole| self.value(hole).map(drop).map_err(|error| error.fact("spec", &need.spec)))
    }

    pub(crate) fn scope(&self) -> &Arc<Scope> {
        &self.scope
    }

    /// Declares where this process will be.
    pub(crate) fn settle(&self, place: &Arc<Place>) {
        let mut members = lock(&self.scope.members);
        members.entry(self.name.clone()).or_default().place = Some(Arc::clone(place));
    }

    /// Waits for the fixed ports of a place. While its stack is being placed that is for later: they are waited for
    /// together with those of all the others.
    pub(crate) fn claim(&self, claim: Claim) -> Result<()> {
        match self.scope.defer(claim) {
            Some(claim) => hold_all(&[claim], &|| self.is_cancelled()),
            None => Ok(()),
        }
    }

    /// Declares what the members of this stack mean to others: `{stack.member.port}`.
    pub(crate) fn settle_inner(&self, inner: &Arc<Scope>) {
        let mut members = lock(&self.scope.members);
        members.entry(self.name.clone()).or_default().inner = Arc::downgrade(inner);
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
            return self.env_value(hole);
        }
        if hole.is_own() {
            return self.own_value(hole);
        }
        if !self.scope.knows(hole.name()) {
            return Err(self.unknown(&hole.text, hole.name()));
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
                Some(port) if matches!(hole.name(), "port" | "addr") => {
                    format!("no port `{port}` was declared; `.port({port:?})` does it")
                }
                _ => "it has none".to_owned(),
            };
            Err(hole_error(&self.name, hole, &why))
        })
    }

    fn env_value(&self, hole: &Hole) -> Result<String> {
        let name = hole.rest();
        let why = match std::env::var(&name) {
            Ok(value) => return Ok(value),
            Err(_) if name.is_empty() => "it needs a name, as in {env.HOME}".to_owned(),
            Err(std::env::VarError::NotPresent) => format!("the variable `{name}` is not set"),
            Err(std::env::VarError::NotUnicode(_)) => format!("the value of the variable `{name}` is not UTF-8"),
        };
        Err(hole_error(&self.name, hole, &why))
    }

    /// A place with a directory and no port, for an executor that reserved nothing.
    fn reserve_nothing(&self) -> Result<Arc<Place>> {
        let place = Arc::new(Place::reserve(&self.name, &Wish::default())?);
        self.settle(&place);
        Ok(place)
    }

    fn member_value(&self, hole: &Hole) -> Result<String> {
        let Some(found) = self.scope.find(&hole.path) else { return Err(self.unknown(&hole.text, hole.name())) };
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

    /// An error about a name that nobody has, and the text that says it.
    pub(crate) fn unknown(&self, text: &str, name: &str) -> Error {
        unknown_name(&self.name, text, name, &self.scope.names())
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
