//! Several executors: what they need, who starts when, and the end of all of them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::error::{Error, Kind, Result};
use crate::ground::{Executor, Ground, Need, Scope, Sharing};
use crate::isolation::Isolation;
use crate::network::Stay;
use crate::start::supervise;
use crate::supervise::{Intensity, Limits, Strategy};

pub(crate) mod awaited;
mod engine;
mod entry;
pub(crate) mod handover;
pub(crate) mod judge;
mod plan;
mod scope;
mod stack;
mod member;
mod common;
pub(crate) mod stage;

use entry::Entry;
pub use member::Member;
pub use scope::orchestrated;
pub use stack::Stack;

/// Several executors under one name each: an executor like any other.
///
/// Who needs whom is read from the holes: `{db.addr}` in one command means that `db` is ready first. What is
/// independent starts in parallel, and everything ends in reverse order. The first failure stops the rest at once.
///
/// ```
/// use pkit_test::{orchestra, simple, tcp};
/// # fn main() -> pkit_test::Result<()> {
/// let stack = orchestra()
///     .with("client", simple("sh -c 'echo {server.addr}'").may_exit())
///     .with("server", tcp("python3 -m http.server --bind {host} {port}", 0))
///     .start()?;
/// stack["client"].wait()?;
/// assert_eq!(stack["client"].stdout(), format!("{}\n", stack["server"].addr()));
/// # Ok(()) }
/// ```
#[must_use = "an orchestra does nothing until it is started"]
#[derive(Default)]
pub struct Orchestra {
    members: Vec<Box<dyn Entry>>,
    strategy: Strategy,
    intensity: Option<Intensity>,
    /// Made when its place is reserved.
    scope: Option<Arc<Scope>>,
}

/// An orchestra without members yet, for executors of different types.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let stack = pkit_test::orchestra().with("sleeper", pkit_test::simple("sleep 60")).start()?;
/// assert!(stack["sleeper"].is_alive());
/// # Ok(()) }
/// ```
pub fn orchestra() -> Orchestra {
    Orchestra::default()
}

/// An orchestra of executors of one type.
///
/// ```
/// use pkit_test::{orchestrate, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let stack = orchestrate([("one", simple("sleep 60")), ("two", simple("sleep 60"))]).start()?;
/// assert!(stack["one"].is_alive() && stack["two"].is_alive());
/// # Ok(()) }
/// ```
pub fn orchestrate(members: impl Into<Orchestra>) -> Orchestra {
    members.into()
}

impl<N: Into<String>, E: Executor + 'static, const COUNT: usize> From<[(N, E); COUNT]> for Orchestra {
    fn from(members: [(N, E); COUNT]) -> Orchestra {
        members.into_iter().collect()
    }
}

impl<N: Into<String>, E: Executor + 'static> From<Vec<(N, E)>> for Orchestra {
    fn from(members: Vec<(N, E)>) -> Orchestra {
        members.into_iter().collect()
    }
}

impl<N: Into<String>, E: Executor + 'static> FromIterator<(N, E)> for Orchestra {
    fn from_iter<I: IntoIterator<Item = (N, E)>>(members: I) -> Orchestra {
        members.into_iter().fold(orchestra(), |all, (name, member)| all.with(name, member))
    }
}

impl Orchestra {
    /// Adds a member under a name: letters, digits and `_`, and not one that means something else in a hole (`port`,
    /// `host`, `addr`, `dir`, `env`, `index`, `slot`, `peers`, `link`).
    ///
    /// A member may be a stack itself. Those outside of it name its members through it, and its members name those
    /// outside as they are.
    ///
    /// ```
    /// use pkit_test::{Stack, orchestra, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let inner = orchestra().with("db", simple("sleep 60 {port}"));
    /// let app = simple("echo {storage.db.port}").may_exit();
    /// let stack = orchestra().with("storage", inner).with("app", app).start()?;
    /// stack["app"].wait()?;
    /// let db_port = stack.get::<Stack>("storage")["db"].port();
    /// assert_eq!(stack["app"].stdout(), format!("{db_port}\n"));
    /// # Ok(()) }
    /// ```
    pub fn with<E: Executor + 'static>(mut self, name: impl Into<String>, executor: E) -> Orchestra {
        self.members.push(Box::new(entry::Member::new(name.into(), executor)));
        self
    }

    /// Says who is started again with a [supervised](crate::Spec::supervise) member that has ended;
    /// [`Strategy::OneForOne`] if nothing is said.
    ///
    /// A stack in a stack has a strategy of its own: its members are started again as that says, and go down and up
    /// with it where the outer one takes it along.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Signal, Strategy, Supervision, orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let member = || simple("sleep 60").supervise(Supervision::permanent());
    /// let stack = orchestrate([("a", member()), ("b", member()), ("c", member())])
    ///     .strategy(Strategy::RestForOne)
    ///     .start()?;
    /// stack["b"].signal(Signal::Kill)?;
    /// stack["c"].wait_restart(0, Duration::from_secs(10))?;
    /// assert_eq!(["a", "b", "c"].map(|name| stack[name].restarts()), [0, 1, 1]);
    /// # Ok(()) }
    /// ```
    pub fn strategy(mut self, strategy: Strategy) -> Orchestra {
        self.strategy = strategy;
        self
    }

    /// Gives the stack up when its supervised members crash more than `max` times in a `period`, all of them together,
    /// besides what the [intensity](crate::Supervision::intensity) of each allows. If nothing is said there is no such
    /// limit.
    ///
    /// What goes down and up with a member that has crashed does not count.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Supervision, orchestrate, orchestrated, simple};
    /// let member = || simple("false").supervise(Supervision::permanent());
    /// let stack = orchestrate([("a", member()), ("b", member())]).intensity(1, Duration::from_secs(60));
    /// let error = orchestrated(stack, |stack| stack["a"].wait_restart(9, Duration::from_secs(10)).map(drop));
    /// assert!(error.unwrap_err().to_string().contains("its stack may be started again once in 60 s"));
    /// ```
    pub fn intensity(mut self, max: u32, period: Duration) -> Orchestra {
        self.intensity = Some(Intensity { most: max, period });
        self
    }

    /// Starts all of them, and returns when all are ready.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// let (hen, egg) = (simple("sleep {egg.port}"), simple("sleep {hen.port}"));
    /// let error = orchestrate([("hen", hen), ("egg", egg)]).start().unwrap_err();
    /// assert!(error.is_spec());
    /// assert!(error.to_string().starts_with("these processes wait for each other: `hen` needs `egg` needs `hen`"));
    /// ```
    ///
    /// # Errors
    ///
    /// When a name is used twice or refused, when they need each other in a circle, when one needs a process that
    /// nobody declared, or when one did not become ready. Nothing is left then.
    pub fn start(self) -> Result<Stack> {
        let stay = self.stay()?;
        let scope = Scope::managed(None, self.limits());
        Ok(self.start_in(scope)?.staying(stay))
    }

    /// Goes into a network of its own if a member wants one, before anything is reserved. Whoever conducts the end lets the
    /// stay end after that.
    fn stay(&self) -> Result<Option<Stay>> {
        let wants = self.members.iter().find(|member| member.isolates(Isolation::Net));
        Stay::begin(wants.map(|member| member.name()))
    }

    /// Starts all of them in a scope that somebody else may cancel meanwhile.
    fn start_in(mut self, scope: Arc<Scope>) -> Result<Stack> {
        self.reserve(scope)?;
        self.bring_up(false)
    }

    fn limits(&self) -> Limits {
        Limits { strategy: self.strategy, intensity: self.intensity }
    }

    fn reserve(&mut self, scope: Arc<Scope>) -> Result<()> {
        if let Some(why) = self.intensity.and_then(Intensity::mistake) {
            return Err(Error::new(Kind::Spec, format!("the stack was not started: {why}")));
        }
        plan::check(&self.members, &scope)?;
        engine::place(&mut self.members, &scope)?;
        self.scope = Some(scope);
        Ok(())
    }

    fn bring_up(self, is_inner: bool) -> Result<Stack> {
        let scope = self.scope.expect("its places were reserved");
        let handles = engine::start(self.members, &scope)?;
        scope.note_up();
        let stack = Stack::new(scope, handles, is_inner);
        supervise(stack.scope(), &stack.scope().desk, stack.scope().cores())?;
        Ok(stack)
    }
}

impl Executor for Orchestra {
    type Handle = Stack;

    /// What its members need and it does not have itself.
    fn needs(&self) -> Vec<Need> {
        let is_ours = |need: &Need| self.members.iter().any(|member| member.name() == need.name());
        self.members.iter().flat_map(|member| member.needs()).filter(|need| !is_ours(need)).collect()
    }

    fn isolates(&self, isolation: Isolation) -> bool {
        self.members.iter().any(|member| member.isolates(isolation))
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        ground.refuse_late_network(self)?;
        ground.refuse_itself(&Executor::needs(self))?;
        self.reserve(Scope::managed(Some(ground), self.limits()))?;
        self.scope.iter().for_each(|scope| ground.settle_inner(scope));
        Ok(())
    }

    fn start_on(mut self, ground: &Ground) -> Result<Stack> {
        if self.scope.is_none() {
            Executor::place(&mut self, ground)?;
        }
        // Where nobody else conducts the end, it does so itself.
        self.bring_up(ground.scope().is_managed)
    }

    fn start(self) -> Result<Stack> {
        Orchestra::start(self)
    }

    fn sharing() -> Option<Sharing<Orchestra>> {
        Some(Sharing::with(Orchestra::twin))
    }
}

impl fmt::Debug for Orchestra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.members.iter().map(|member| member.name())).finish()
    }
}
