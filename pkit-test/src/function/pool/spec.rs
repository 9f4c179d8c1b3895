//! What a pool is to be: a value that does nothing until it is started.

use std::sync::Arc;
use std::time::Duration;

use super::attend::attend;
use super::{Pool, Shared};
use crate::config::scaled;
use crate::error::{Error, Kind, Result};
use crate::function::worker::Worker;
use crate::function::workers::{Workers, workers};
use crate::ground::{Executor, Ground, Need};
use crate::isolation::Isolation;
use crate::ready::Said;
use crate::spec::Spec;

/// A pool of `count` worker processes, which run items of work one after the other: an executor whose handle is a [`Pool`].
///
/// ```
/// use pkit_test::{Pool, with_processes, pool};
///
/// fn length(text: String) -> usize { text.len() }
///
/// #[with_processes(pool = pool(2).retries(1))]
/// # fn texts_have_lengths(pool: Pool) {
/// # /*
/// #[test]
/// fn texts_have_lengths(pool: Pool) {
/// # */
///     let lengths = pool.map(length, ["a", "bcd"].map(str::to_owned));
///     assert_eq!(lengths.map(Result::unwrap).collect::<Vec<_>>(), [1, 3]);
/// }
/// # texts_have_lengths();
/// ```
#[track_caller]
pub fn pool(count: usize) -> PoolSpec {
    let each = |spec: Spec<Worker<()>>| spec.ready(Said::ready()).may_exit();
    PoolSpec { count, workers: workers(count, attend, |_| ()).each(each), retries: 0, item_timeout: None }
}

/// What a [`Pool`] is to be: what [`pool`] makes.
#[derive(Debug)]
#[must_use = "a pool does nothing until it is started"]
pub struct PoolSpec {
    count: usize,
    workers: Workers<()>,
    retries: u32,
    item_timeout: Option<Duration>,
}

impl PoolSpec {
    /// Tries an item again up to so many times when its worker has died: by a signal, by an exit, in any way. Never, if nothing is
    /// said.
    ///
    /// A panic is no reason to try again, as it leaves the worker alive; nor is an item that took too long. All crashes are told by
    /// [`Pool::crashes`].
    ///
    /// ```
    /// use std::path::PathBuf;
    /// use pkit_test::pool;
    ///
    /// /// Dies the first time.
    /// fn moody(path: PathBuf) -> &'static str {
    ///     if std::fs::create_dir(path).is_ok() { std::process::abort() }
    ///     "well"
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = pool(2).retries(1).start()?;
    /// let mark = pool.processes().next().unwrap().dir().join("tried");
    /// assert_eq!(pool.run(|path| moody(path).to_owned(), mark)?, "well");
    /// assert_eq!(pool.crashes().len(), 1);
    /// # Ok(()) }
    /// ```
    pub fn retries(mut self, retries: u32) -> PoolSpec {
        self.retries = retries;
        self
    }

    /// Sets how long an item may take. Its worker is killed then, and the item has failed. There is no limit if nothing is said.
    ///
    /// `PKIT_TIMEOUT_SCALE` multiplies it. Zero is an error of the start.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::pool;
    ///
    /// fn hang() { loop { std::thread::park() } }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = pool(1).item_timeout(Duration::from_secs(2)).start()?;
    /// assert!(pool.run(hang, ()).unwrap_err().is_timeout());
    /// assert_eq!(pool.run(|| 7, ())?, 7);
    /// # Ok(()) }
    /// ```
    pub fn item_timeout(mut self, timeout: Duration) -> PoolSpec {
        self.item_timeout = Some(timeout);
        self
    }

    /// Says something about all workers: environment, limits of time, another user.
    ///
    /// ```
    /// use pkit_test::pool;
    ///
    /// fn language() -> Option<String> { std::env::var("LANG").ok() }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = pool(1).each(|spec| spec.env("LANG", "C")).start()?;
    /// assert_eq!(pool.run(language, ())?.as_deref(), Some("C"));
    /// # Ok(()) }
    /// ```
    pub fn each(mut self, say: impl Fn(Spec<Worker<()>>) -> Spec<Worker<()>>) -> PoolSpec {
        self.workers = self.workers.each(say);
        self
    }

    /// Starts all workers, and returns when they are up. They are called `pool.0`, `pool.1` and so on; in a stack or an attribute
    /// they have the name that the pool has there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = pkit_test::pool(2).start()?;
    /// assert_eq!(pool.processes().map(|process| process.name()).collect::<Vec<_>>(), ["pool.0", "pool.1"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is to have no workers, when its limit for items is zero, and when a worker did not start, as
    /// [`Spec::start`](crate::Spec::start). Nothing is left then.
    pub fn start(self) -> Result<Pool> {
        Ground::alone("pool".to_owned(), &self)?.start(self)
    }

    fn check(&self, ground: &Ground) -> Result<()> {
        let why = match (self.count, self.item_timeout) {
            (0, _) => "a pool without workers gets nothing done",
            (_, Some(timeout)) if timeout.is_zero() => "an item_timeout of zero leaves no time at all",
            _ => return Ok(()),
        };
        Err(Error::new(Kind::Spec, format!("`{}` was not started: {why}", ground.full_name())))
    }
}

impl Executor for PoolSpec {
    type Handle = Pool;

    fn needs(&self) -> Vec<Need> {
        self.workers.needs()
    }

    fn isolates(&self, isolation: Isolation) -> bool {
        self.workers.isolates(isolation)
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.check(ground)?;
        self.workers.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<Pool> {
        self.check(ground)?;
        let shared = Shared::new(self.count, self.retries, self.item_timeout.map(scaled));
        Pool::of(self.workers.start_on(ground)?, Arc::new(shared))
    }

    fn start(self) -> Result<Pool> {
        PoolSpec::start(self)
    }
}
