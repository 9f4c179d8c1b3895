//! What a start stands on: names and what they mean, ports, directories, and the way to give up.

use std::sync::Arc;

use crate::error::{Error, Kind, Result};
use crate::handle::{Core, Process};
use crate::isolation::Isolation;
use crate::network::Stay;
use crate::place::{Claim, Place, hold_all};
use crate::sync::lock;
use crate::template::{Hole, Template};

mod identity;
mod lent;
mod need;
mod last;
mod parts;
mod publication;
mod scope;
mod sharing;
mod unknown;
mod values;

pub use identity::Identity;
pub(crate) use identity::Refusal;
pub(crate) use last::Last;
pub use need::Need;
pub(crate) use parts::name_of_type;
pub use publication::{Attaching, Publication};
use scope::Found;
pub(crate) use scope::Scope;
pub use sharing::Sharing;
pub(crate) use unknown::unknown_name;

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
    ///
    /// Those of all that it starts, as a rule: `[self.db.needs(), self.migration.needs()].concat()`. That they name this
    /// executor itself is no harm. What they need of its other [parts](Ground::child) is nobody else's business, and is to
    /// be left out.
    fn needs(&self) -> Vec<Need> {
        Vec::new()
    }

    /// Whether something of what it starts is to be [isolated](crate::Spec::isolate) in this way.
    ///
    /// A network of its own is one for all of a stack, which has to know it before anything is reserved. So an executor
    /// that starts others says what they say; without that a spec that wants one is refused when it is started.
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Isolation, Process, Result, Spec, simple};
    ///
    /// struct Wrapped(Spec);
    ///
    /// impl Executor for Wrapped {
    ///     type Handle = Process;
    ///     fn isolates(&self, isolation: Isolation) -> bool { self.0.isolates(isolation) }
    ///     fn start_on(self, ground: &Ground) -> Result<Process> { ground.start(self.0) }
    /// }
    ///
    /// let wrapped = Wrapped(simple("sleep 60").isolate(Isolation::Net));
    /// assert!(wrapped.isolates(Isolation::Net) && !wrapped.isolates(Isolation::Pid));
    /// ```
    fn isolates(&self, isolation: Isolation) -> bool {
        let _ = isolation;
        false
    }

    /// Reserves ports and directories, before anything of the stack is started, so that others may know them.
    ///
    /// An executor that passes it on to what it starts need not: that reserves its place when it is started, which is
    /// soon enough for all that is started after it.
    ///
    /// The fixed ports of a stack are waited for together, when all of its
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
    /// This is what an executor implements. What calls it is [`Ground::start`] where an executor starts another one, and
    /// [`start`](Executor::start) where it is started by itself.
    ///
    /// # Errors
    ///
    /// When it did not become ready.
    fn start_on(self, ground: &Ground) -> Result<Self::Handle>
    where
        Self: Sized;

    /// Starts it by itself, without a stack around it: under the name of its type, in lower case.
    ///
    /// ```
    /// use pkit_test::{Executor, Ground, Process, Result, simple};
    ///
    /// struct JobRunner;
    ///
    /// impl Executor for JobRunner {
    ///     type Handle = Process;
    ///     fn start_on(self, ground: &Ground) -> Result<Process> { ground.start(simple("sleep 60")) }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// assert_eq!(JobRunner.start()?.name(), "job_runner");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it did not become ready. Nothing of it is left then.
    fn start(self) -> Result<Self::Handle>
    where
        Self: Sized,
    {
        let ground = Ground::alone(name_of_type::<Self>(), &self)?;
        ground.start(self)
    }

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

    /// How it is shared, so that an orchestra can be that has it as a member: `Some(Sharing::of())` of what is
    /// [`Shareable`](crate::Shareable), where an example is.
    fn sharing() -> Option<Sharing<Self>>
    where
        Self: Sized,
    {
        None
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
    ///
    /// # Errors
    ///
    /// When it is to have a network of its own and cannot.
    pub(crate) fn alone<E: Executor>(name: String, executor: &E) -> Result<Ground> {
        let stay = Stay::begin(executor.isolates(Isolation::Net).then_some(name.as_str()))?;
        Ok(Ground { name, scope: Scope::alone(stay) })
    }

    /// Refuses a network of its own where those around it have been started without.
    pub(crate) fn refuse_late_network<E: Executor>(&self, executor: &E) -> Result<()> {
        if self.scope.network().is_some() || !executor.isolates(Isolation::Net) {
            return Ok(());
        }
        let title = format!("`{}` was not started: its stack has no network of its own", self.full_name());
        Err(Error::new(Kind::Spec, title)
            .fact("why", "what is around it was started without, and could not be reached")
            .fact("hint", "`isolates` of the executor that starts it has to say what it is going to start"))
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

    /// The name that its processes get, and that errors say.
    pub(crate) fn full_name(&self) -> String {
        self.scope.full_name(&self.name)
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
        let mut known = template.holes().filter(asks).filter(|hole| self.has_place(hole.name()));
        known.try_for_each(|hole| self.value(hole).map(drop).map_err(|error| error.fact("spec", &need.spec)))
    }

    /// Refuses what would have to be ready before itself. An executor of somebody else's may well name itself: a second
    /// process that it starts may need the first.
    pub(crate) fn refuse_itself(&self, needs: &[Need]) -> Result<()> {
        let is_me = |need: &&Need| self.find(&[need.name().to_owned()]).is_some_and(|found| found.name == self.name);
        let mine = needs.iter().filter(|need| need.is_ordered()).find(is_me);
        mine.map_or(Ok(()), |need| {
            let hint = format!("`{{&{}.addr}}` is the address without the order", self.name);
            let error = Error::new(Kind::Cycle, format!("`{}` needs itself", self.name));
            Err(error.fact("spec", &need.spec).fact("hint", hint))
        })
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
            self.scope.register(&self.name, core);
        }
    }

    /// What a need is about: all processes of a stack, for it was started behind all of them; one part of an executor; and
    /// what is behind a member without a process.
    pub(crate) fn cores_behind(&self, need: &Need) -> Vec<Arc<Core>> {
        let one = self.core_behind(need).filter(|_| !self.scope.is_stack(need.name()));
        one.map_or_else(|| self.scope.cores_behind(need.name()), |core| vec![core])
    }

    /// The process behind another name, if it is up and one process.
    pub(crate) fn core_of(&self, name: &str) -> Option<Arc<Core>> {
        self.find(&[name.to_owned()])?.core
    }

    /// The process that a need is about, which may be a part of the member that it names.
    fn core_behind(&self, need: &Need) -> Option<Arc<Core>> {
        let path = Template::parse(&need.text).holes().next().map(|hole| hole.path.clone());
        self.find(&path.unwrap_or_else(|| vec![need.name().to_owned()]))?.core
    }

    /// Whether a name means a process here.
    pub(crate) fn knows(&self, name: &str) -> bool {
        self.scope.knows_from(&self.name, name)
    }

    fn has_place(&self, name: &str) -> bool {
        self.scope.has_place(&self.name, name)
    }

    fn find(&self, path: &[String]) -> Option<Found> {
        self.scope.find(&self.name, path)
    }

    /// What a hole means here.
    pub(crate) fn value(&self, hole: &Hole) -> Result<String> {
        if hole.name() == "env" {
            return self.env_value(hole);
        }
        if hole.is_own() {
            return self.own_value(hole);
        }
        if !self.knows(hole.name()) {
            return Err(self.unknown(&hole.text, hole.name()));
        }
        self.member_value(hole)
    }

    fn own_value(&self, hole: &Hole) -> Result<String> {
        let place = self.place().map_or_else(|| self.reserve(&[]), Ok)?;
        place.value(&hole.path.join(".")).unwrap_or_else(|| {
            let why = match hole.path.get(1) {
                Some(port) if matches!(hole.name(), "port" | "addr") => {
                    format!("no port `{port}` was declared; `.port({port:?})` does it")
                }
                _ => "it has none".to_owned(),
            };
            Err(hole_error(&self.full_name(), hole, &why))
        })
    }

    fn env_value(&self, hole: &Hole) -> Result<String> {
        let name = hole.rest();
        let why = match self.variable(&name) {
            Ok(value) => return Ok(value),
            Err(_) if name.is_empty() => "it needs a name, as in {env.HOME}".to_owned(),
            Err(std::env::VarError::NotPresent) => format!("the variable `{name}` is not set"),
            Err(std::env::VarError::NotUnicode(_)) => format!("the value of the variable `{name}` is not UTF-8"),
        };
        Err(hole_error(&self.full_name(), hole, &why))
    }

    fn member_value(&self, hole: &Hole) -> Result<String> {
        let Some(found) = self.find(&hole.path) else { return Err(self.unknown(&hole.text, hole.name())) };
        let Found { name, rest, value, is_up, keys, .. } = found;
        value.unwrap_or_else(|| {
            let why = match rest.as_str() {
                "" => format!("it needs a part, as in {{{}.addr}}", hole.path.join(".")),
                "port" | "addr" | "url" => format!("`{name}` has no port"),
                "pid" if !is_up => format!("`{name}` has no pid before it is started"),
                _ if keys.is_empty() => format!("`{name}` has no `{rest}`"),
                _ => format!("`{name}` has no `{rest}`, but {}", keys.join(", ")),
            };
            Err(hole_error(&self.full_name(), hole, &why))
        })
    }

    /// An error about a name that nobody has, and the text that says it.
    pub(crate) fn unknown(&self, text: &str, name: &str) -> Error {
        let others: Vec<String> = self.scope.names().into_iter().filter(|other| *other != self.name).collect();
        unknown_name(&self.full_name(), text, name, &others)
    }
}

fn hole_error(process: &str, hole: &Hole, why: &str) -> Error {
    Error::new(Kind::Spec, format!("`{process}` was not started: {} means nothing here", hole.text)).fact("why", why)
}
