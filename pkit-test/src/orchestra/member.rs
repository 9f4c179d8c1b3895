//! A whole stack, or one member with what depends on it: down, up, and down for a while.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::Stack;
use super::scope::say_error;
use crate::error::{Error, Result};
use crate::ground::Scope;
use crate::handle::{Core, Process, in_order};
use crate::start::Restart;

/// One member of a stack, and what depends on it. From [`Stack::member`].
///
/// What depends on a member is whatever waits for it at the start: those that have a hole of it or say `after`, and
/// those that need them. The address without the order, `{&db.addr}`, is no such dependency.
///
/// ```
/// use pkit_test::{orchestrate, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let stack = orchestrate([("db", simple("sleep 60")), ("api", simple("sleep 60").after("db"))]).start()?;
/// let up = || ["db", "api"].map(|name| stack[name].is_alive());
/// stack.member("db").stop()?;
/// assert_eq!(up(), [false, false]);
/// stack.member("db").start()?;
/// assert_eq!(up(), [true, true]);
/// # Ok(()) }
/// ```
#[derive(Clone, Copy)]
pub struct Member<'a> {
    scope: &'a Scope,
    name: &'a str,
}

impl Stack {
    /// Stops all of it, in reverse order of start. The handles stay: each process can be started again, and all of them
    /// by [`start`](Stack::start).
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = orchestrate([("one", simple("sleep 60")), ("two", simple("sleep 60"))]).start()?;
    /// stack.stop()?;
    /// assert!(!stack["one"].is_alive() && !stack["two"].is_alive());
    /// stack["two"].start()?;
    /// assert!(stack["two"].is_alive());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Process::stop`]; every process is tried, and all that went wrong is said.
    pub fn stop(&self) -> Result<()> {
        take_down(&all_of(self.scope()), Restart::Graceful).1
    }

    /// Starts again what is down, in the order of its dependencies, and returns when all of it is ready. What has ended as
    /// it may (a job, [`may_exit`](crate::Spec::may_exit)) is not down, but done.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = orchestrate([("one", simple("sleep 60")), ("two", simple("sleep 60"))]).start()?;
    /// stack["one"].kill()?;
    /// stack.start()?;
    /// assert_eq!((stack["one"].restarts(), stack["two"].restarts()), (1, 0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Process::start`]. What does not need the one that failed is started all the same, and what is up stays up.
    pub fn start(&self) -> Result<()> {
        bring_up(all_of(self.scope()).into_iter().filter(|core| !core.is_done()).collect())
    }

    /// Brings all of it down in reverse order, and then up as [`start`](Stack::start) does.
    ///
    /// ```
    /// use pkit_test::{Restart, orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = orchestrate([("one", simple("sleep 60")), ("two", simple("sleep 60"))]).start()?;
    /// stack.restart(Restart::Forced)?;
    /// assert_eq!((stack["one"].restarts(), stack["two"].restarts()), (1, 1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`stop`](Stack::stop), and then it is not started again. And as [`start`](Stack::start).
    pub fn restart(&self, how: Restart) -> Result<()> {
        let all = all_of(self.scope());
        in_hands(&all, || {
            take_down(&all, how).1?;
            self.start()
        })
    }

    /// Has all of it down while something is done, and then brings up again what was up; also when that panics. It does not
    /// keep others out: what another thread starts meanwhile, a `stopped` of its own that ends included, is up.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = orchestrate([("one", simple("sleep 60")), ("two", simple("sleep 60"))]).start()?;
    /// let alive = || stack["one"].is_alive() || stack["two"].is_alive();
    /// assert!(!stack.stopped(alive)?);
    /// assert!(stack["one"].is_alive() && stack["two"].is_alive());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`stop`](Stack::stop): then nothing is done. And as [`start`](Stack::start). After a panic an error is printed,
    /// and the panic goes on.
    pub fn stopped<R>(&self, body: impl FnOnce() -> R) -> Result<R> {
        while_down(&all_of(self.scope()), body)
    }

    /// One member, to be taken down and up with what depends on it. A member may be a stack itself, or an executor of
    /// your own: then it is about all processes that it has started on its ground.
    ///
    /// ```
    /// use pkit_test::{Restart, Stack, orchestra, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let storage = orchestra().with("db", simple("sleep 60 {port}"));
    /// let stack = orchestra().with("storage", storage).with("api", simple("sleep 60 {storage.db.port}")).start()?;
    /// stack.member("storage").restart(Restart::Graceful)?;
    /// assert_eq!((stack.get::<Stack>("storage")["db"].restarts(), stack["api"].restarts()), (1, 1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// When there is none of that name.
    #[must_use]
    #[track_caller]
    pub fn member(&self, name: &str) -> Member<'_> {
        match self.names().find(|known| *known == name) {
            Some(name) => Member { scope: self.scope(), name },
            None => panic!("{}", self.nobody(name)),
        }
    }
}

impl Member<'_> {
    /// Stops what depends on it, the newest first, and then it. What was down stays down.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let (db, api) = (simple("sleep 60"), simple("sleep 60").after("db"));
    /// let stack = orchestrate([("db", db), ("api", api), ("other", simple("sleep 60"))]).start()?;
    /// stack.member("db").stop()?;
    /// assert_eq!(["db", "api", "other"].map(|name| stack[name].is_alive()), [false, false, true]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Process::stop`]; every process is tried, and all that went wrong is said.
    pub fn stop(&self) -> Result<()> {
        self.take_down(Restart::Graceful)
    }

    /// Starts it, and what its [`stop`](Member::stop) took down, in the order of the dependencies. What needs something
    /// else that is down waits for that to be started. What is up stays up.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let (db, api) = (simple("sleep 60"), simple("sleep 60").after("db"));
    /// let stack = orchestrate([("db", db), ("api", api.clone()), ("web", api)]).start()?;
    /// stack["web"].stop()?;
    /// stack.member("db").stop()?;
    /// stack.member("db").start()?;
    /// assert_eq!(["db", "api", "web"].map(|name| stack[name].is_alive()), [true, true, false]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Stack::start`].
    pub fn start(&self) -> Result<()> {
        let own = self.own();
        // Whoever names a job that is done wants it done again.
        let is_wanted = |core: &Arc<Core>| own.len() == 1 || !core.is_done();
        bring_up(own.iter().filter(|core| is_wanted(core)).cloned().collect())?;
        let dependents = self.with_dependents().into_iter().filter(|core| !contains(&own, core));
        bring_up(dependents.filter(|core| core.life(|life| life.is_taken_down)).collect())
    }

    /// Brings it down with what depends on it, and up again as [`start`](Member::start) does.
    ///
    /// ```
    /// use pkit_test::{Restart, orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = orchestrate([("db", simple("sleep 60")), ("api", simple("sleep 60").after("db"))]).start()?;
    /// stack.member("db").restart(Restart::Forced)?;
    /// assert_eq!((stack["db"].restarts(), stack["api"].restarts()), (1, 1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`stop`](Member::stop), and then it is not started again. And as [`start`](Member::start).
    pub fn restart(&self, how: Restart) -> Result<()> {
        in_hands(&self.with_dependents(), || {
            self.take_down(how)?;
            self.start()
        })
    }

    /// Has it and what depends on it down while something is done, and then brings up again what was up; also when
    /// that panics. It does not keep others out, as [`Stack::stopped`] does not.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = orchestrate([("db", simple("sleep 60")), ("api", simple("sleep 60").after("db"))]).start()?;
    /// let without = stack.member("db").stopped(|| stack["db"].is_alive() || stack["api"].is_alive())?;
    /// assert!(!without && stack["db"].is_alive() && stack["api"].is_alive());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Stack::stopped`].
    pub fn stopped<R>(&self, body: impl FnOnce() -> R) -> Result<R> {
        while_down(&self.with_dependents(), body)
    }

    fn take_down(&self, how: Restart) -> Result<()> {
        let own = self.own();
        let (taken, result) = take_down(&self.with_dependents(), how);
        for core in taken.iter().filter(|core| !contains(&own, core)) {
            core.life(|life| life.is_taken_down = true);
        }
        result
    }

    fn own(&self) -> Vec<Arc<Core>> {
        self.scope.cores_of(self.name)
    }

    /// It and what depends on it, in order of start.
    fn with_dependents(&self) -> Vec<Arc<Core>> {
        let own = self.own();
        let mut next = if own.is_empty() { self.scope.cores_before(self.name) } else { own };
        let mut all = Vec::new();
        while let Some(core) = next.pop() {
            if !contains(&all, &core) {
                next.extend(core.dependents());
                all.push(core);
            }
        }
        in_order(&mut all);
        all
    }
}

impl fmt::Debug for Member<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Member").field("name", &self.name).finish_non_exhaustive()
    }
}

fn all_of(scope: &Scope) -> Vec<Arc<Core>> {
    let mut all = scope.cores();
    in_order(&mut all);
    all
}

fn contains(cores: &[Arc<Core>], core: &Arc<Core>) -> bool {
    cores.iter().any(|one| one.id == core.id)
}

/// As for one process that is restarted: whoever waits for a restart of one of them need not think that it stays down.
fn in_hands<R>(cores: &[Arc<Core>], act: impl FnOnce() -> R) -> R {
    // What is down stays down.
    let up: Vec<&Arc<Core>> = cores.iter().filter(|core| !core.rests()).collect();
    up.iter().for_each(|core| core.take_in_hand());
    let result = act();
    up.iter().for_each(|core| core.let_go());
    result
}

/// Takes all of them down in reverse order, and tells which of them were up, in order.
fn take_down(cores: &[Arc<Core>], how: Restart) -> (Vec<Arc<Core>>, Result<()>) {
    let mut taken = Vec::new();
    // Before any of them is touched.
    if let Err(error) = cores.iter().try_for_each(|core| core.control("stop it")) {
        return (taken, Err(error));
    }
    let mut errors = Vec::new();
    for core in cores.iter().rev().filter(|core| !core.rests()) {
        let result = match how {
            Restart::Graceful => core.stop(),
            Restart::Forced => core.kill(),
        };
        errors.extend(result.err());
        taken.push(Arc::clone(core));
    }
    taken.reverse();
    (taken, Error::all(errors).map_or(Ok(()), Err))
}

/// Starts all of them that do not run, in order; but none whose need is down. One whose handle is gone, as that of a step
/// which its executor has no further use for, is gone for good: nobody starts it, and nobody waits for it.
fn bring_up(cores: Vec<Arc<Core>>) -> Result<()> {
    let Some(first) = cores.first() else { return Ok(()) };
    let all = first.ground.scope().outermost_cores();
    let mut errors = Vec::new();
    for core in cores.iter().filter(|core| core.is_over() && !core.is_retired()) {
        let is_needed = |other: &&Arc<Core>| contains(&other.dependents(), core);
        if all.iter().filter(is_needed).all(|need| !need.is_over() || need.is_done() || need.is_retired()) {
            errors.extend(Process::view(Arc::clone(core)).start().err());
        }
    }
    Error::all(errors).map_or(Ok(()), Err)
}

fn while_down<R>(cores: &[Arc<Core>], body: impl FnOnce() -> R) -> Result<R> {
    let (taken, result) = take_down(cores, Restart::Graceful);
    if let Err(error) = result {
        return Err(error.and(bring_up(taken).err()));
    }
    let value = catch_unwind(AssertUnwindSafe(body));
    let result = bring_up(taken);
    match (value, result) {
        (Ok(value), result) => result.map(|()| value),
        (Err(panic), result) => {
            result.err().iter().for_each(say_error);
            resume_unwind(panic)
        }
    }
}
