//! The answer to one item that was handed in.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::job::{Call, Promise};
use crate::config::deadline_in;
use crate::function::failure::Failure;

/// What [`Pool::submit`](super::Pool::submit) gives: the answer to one item, as soon as there is one.
///
/// Dropping it loses nothing but the answer: the item is worked on all the same. It may outlive its pool; what had not begun then
/// has failed.
///
/// ```
/// use pkit_test::Pool;
///
/// # fn main() -> pkit_test::Result<()> {
/// let pool = Pool::new(2)?;
/// let tickets = [3, 4].map(|n: u32| pool.submit(|n: u32| n * n, n));
/// let squares = tickets.map(|ticket| ticket.join().unwrap());
/// assert_eq!(squares, [9, 16]);
/// # Ok(()) }
/// ```
#[must_use = "it has the answer; whether the item has failed nobody else is told"]
pub struct Ticket<R> {
    promise: Arc<Promise>,
    name: Arc<str>,
    number: u64,
    returns: PhantomData<fn() -> R>,
}

impl<R> Ticket<R> {
    pub(super) fn new(promise: Arc<Promise>, call: &Call, number: u64) -> Ticket<R> {
        Ticket { promise, name: Arc::clone(call.name()), number, returns: PhantomData }
    }
}

impl<R: DeserializeOwned> Ticket<R> {
    /// Waits for the answer, which is there as often as it is asked for.
    ///
    /// ```
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(1)?;
    /// let ticket = pool.submit(|a: u32, b: u32| a / b, (6, 3));
    /// assert_eq!(ticket.join()?, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it panicked, its worker died or its time was over, its arguments or its result could not be handed over, or the pool
    /// was dropped before it was done.
    pub fn join(&self) -> Result<R, Failure> {
        self.join_until(None).map(|answer| answer.expect("without a deadline it waits for the answer"))
    }

    /// The answer, if it is there.
    ///
    /// ```
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(1)?;
    /// let (first, second) = (pool.submit(|| (), ()), pool.submit(|| (), ()));
    /// second.join()?;
    /// assert_eq!(first.try_join()?, Some(()));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`join`](Ticket::join).
    pub fn try_join(&self) -> Result<Option<R>, Failure> {
        self.join_until(Some(Instant::now()))
    }

    /// Waits for it as long as that: `None` while there is no answer. It is no error when the time passes, and no setting changes
    /// it; a limit for all items is [`item_timeout`](super::PoolSpec::item_timeout).
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(1)?;
    /// let endless = pool.submit(|| -> () { loop { std::thread::park() } }, ());
    /// assert_eq!(endless.join_timeout(Duration::from_millis(10))?, None);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`join`](Ticket::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<Option<R>, Failure> {
        self.join_until(Some(deadline_in(timeout)))
    }

    fn join_until(&self, deadline: Option<Instant>) -> Result<Option<R>, Failure> {
        self.promise.read(&self.name, self.number, deadline).transpose()
    }
}

impl<R> fmt::Debug for Ticket<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("function", &self.name).field("number", &self.number).finish_non_exhaustive()
    }
}
