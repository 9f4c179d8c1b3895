//! Queues: what one hands in, one other takes out.

use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::super::own::Here;
use super::super::party::Party;
use super::super::protocol::{QueueAct, Reply, Request};
use super::super::state::State;
use super::super::value::{stored, typed_value};
use super::point::{Point, count};
use crate::config::scaled;
use crate::error::Result;

/// Items in the order of coming, each for one who takes it: what [`State::queue`] gives.
///
/// ```
/// use pkit_test::State;
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let jobs = state.queue::<u32>("jobs");
/// jobs.push(&1)?;
/// jobs.push(&2)?;
/// assert_eq!((jobs.try_pop()?, jobs.len()?), (Some(1), 1));
/// # Ok(()) }
/// ```
pub struct Queue<T> {
    point: Point,
    items: PhantomData<fn(T) -> T>,
}

/// An item of a [`Queue`] that is being worked on: [`done`](Leased::done) takes it out for good. When it is dropped without, or this
/// process is gone, it is back in its place at the front. In a fork of the process it is only the value.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::State;
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let jobs = state.queue::<u32>("jobs");
/// jobs.push(&7)?;
/// drop(jobs.lease(Duration::from_secs(10))?);
/// let job = jobs.lease(Duration::from_secs(10))?;
/// assert_eq!(*job, 7);
/// job.done()?;
/// assert!(jobs.is_empty()?);
/// # Ok(()) }
/// ```
#[must_use = "it is back in the queue when it is dropped"]
pub struct Leased<T> {
    queue: Queue<T>,
    /// Until it is done.
    lease: Option<u64>,
    item: T,
    after: Option<Party>,
    here: Here,
}

impl<T> Queue<T> {
    /// No more is pushed. What is in it can be taken out; then whoever waits, or comes, is [told](crate::Error::is_closed).
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let jobs = pkit_test::State::new()?.queue::<u32>("jobs");
    /// jobs.push(&1)?;
    /// jobs.close()?;
    /// assert!(jobs.push(&2).unwrap_err().is_closed());
    /// assert_eq!(jobs.pop(Duration::from_secs(10))?, 1);
    /// assert!(jobs.pop(Duration::from_secs(10)).unwrap_err().is_closed());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn close(&self) -> Result<()> {
        match self.ask(QueueAct::Close, Duration::ZERO)? {
            Reply::Done { .. } => Ok(()),
            other => Err(self.point.unexpected(other)),
        }
    }

    /// How many items are in it. Leased ones are not.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let jobs = pkit_test::State::new()?.queue::<u32>("jobs");
    /// jobs.push(&1)?;
    /// assert_eq!(jobs.len()?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn len(&self) -> Result<usize> {
        match self.ask(QueueAct::Len, Duration::ZERO)? {
            Reply::Number(len) => Ok(usize::try_from(len).unwrap_or(0)),
            other => Err(self.point.unexpected(other)),
        }
    }

    /// Whether there are none.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert!(pkit_test::State::new()?.queue::<u32>("jobs").is_empty()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    fn ask(&self, act: QueueAct, patience: Duration) -> Result<Reply> {
        self.point.ask(&Request::Queue { name: self.point.full_name()?, act }, patience)
    }
}

impl State {
    /// A queue of that name, first in, first out. It is there without being made.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, function};
    ///
    /// fn square(state: State) {
    ///     while let Ok(n) = state.queue::<u64>("in").pop(Duration::from_secs(10)) {
    ///         state.queue("out").push(&(n * n)).unwrap();
    ///     }
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let worker = function(square, state.clone()).start()?;
    /// let (input, output) = (state.queue::<u64>("in"), state.queue::<u64>("out"));
    /// input.push(&3)?;
    /// input.push(&4)?;
    /// assert_eq!((output.pop(Duration::from_secs(10))?, output.pop(Duration::from_secs(10))?), (9, 16));
    /// input.close()?;
    /// worker.join()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn queue<T: Serialize + DeserializeOwned>(&self, name: &str) -> Queue<T> {
        Queue { point: Point::new(self, "queue", name), items: PhantomData }
    }
}

impl<T: Serialize + DeserializeOwned> Queue<T> {
    /// Puts an item at the end: how many are in it now, which is none where somebody has waited for it.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let jobs = pkit_test::State::new()?.queue::<String>("jobs");
    /// assert_eq!(jobs.push(&"one".to_owned())?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is closed, the item is too large or of a shape that could not be read back, or the state is gone.
    pub fn push(&self, item: &T) -> Result<u64> {
        let value = stored(&format!("an item of {}", self.point), item)?;
        match self.ask(QueueAct::Push { value }, Duration::ZERO)? {
            Reply::Number(len) => Ok(count(len)),
            other => Err(self.point.unexpected(other)),
        }
    }

    /// Waits for an item and takes it out. Those who wait get theirs in the order of asking. `PKIT_TIMEOUT_SCALE` multiplies the
    /// timeout.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let jobs = pkit_test::State::new()?.queue::<u32>("jobs");
    /// assert!(jobs.pop(Duration::from_millis(10)).unwrap_err().is_timeout());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over, when it is closed and empty, or the state is gone. When the item is no `T`: it is shown, and is
    /// out of the queue all the same.
    pub fn pop(&self, timeout: Duration) -> Result<T> {
        let timeout = scaled(timeout);
        match self.ask(QueueAct::Pop { timeout: Some(timeout) }, timeout)? {
            Reply::Item { value, .. } => typed_value(&format!("an item of {}", self.point), &value),
            other => Err(self.point.failed("had no item", timeout, other)),
        }
    }

    /// Takes an item out, if there is one that nobody waits for.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let jobs = pkit_test::State::new()?.queue::<u32>("jobs");
    /// jobs.push(&1)?;
    /// assert_eq!((jobs.try_pop()?, jobs.try_pop()?), (Some(1), None));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`pop`](Queue::pop), except that none is fine.
    pub fn try_pop(&self) -> Result<Option<T>> {
        match self.ask(QueueAct::Pop { timeout: None }, Duration::ZERO)? {
            Reply::Item { value, .. } => typed_value(&format!("an item of {}", self.point), &value).map(Some),
            Reply::Late { .. } => Ok(None),
            other => Err(self.point.unexpected(other)),
        }
    }

    /// Waits for an item to work on: it is out of the queue when it is [`done`](Leased::done), and else comes back.
    /// `PKIT_TIMEOUT_SCALE` multiplies the timeout.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let jobs = pkit_test::State::new()?.queue::<u32>("jobs");
    /// jobs.push(&7)?;
    /// drop(jobs.lease(Duration::from_secs(10))?);
    /// let job = jobs.lease(Duration::from_secs(10))?;
    /// assert_eq!((*job, jobs.len()?), (7, 0));
    /// job.done()?;
    /// assert!(jobs.is_empty()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`pop`](Queue::pop), except that an item that is no `T` is back in the queue.
    pub fn lease(&self, timeout: Duration) -> Result<Leased<T>> {
        let timeout = scaled(timeout);
        let (value, lease, after) = match self.ask(QueueAct::Lease { timeout: Some(timeout) }, timeout)? {
            Reply::Item { value, lease, after } => (value, lease, after),
            other => return Err(self.point.failed("had no item", timeout, other)),
        };
        let item = typed_value(&format!("an item of {}", self.point), &value);
        if item.is_err() {
            self.settle(lease, false)?;
        }
        let after = after.as_ref().map(Party::of);
        Ok(Leased { queue: self.clone(), lease, item: item?, after, here: Here::now() })
    }
}

impl<T> Queue<T> {
    fn settle(&self, lease: Option<u64>, is_done: bool) -> Result<()> {
        let Some(lease) = lease else { return Ok(()) };
        match self.ask(QueueAct::Settle { lease, is_done }, Duration::ZERO)? {
            Reply::Done { .. } => Ok(()),
            other => Err(self.point.unexpected(other)),
        }
    }
}

impl<T> Leased<T> {
    /// It is out of the queue for good.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let jobs = pkit_test::State::new()?.queue::<u32>("jobs");
    /// jobs.push(&7)?;
    /// jobs.lease(Duration::from_secs(10))?.done()?;
    /// assert!(jobs.try_pop()?.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn done(mut self) -> Result<()> {
        if !self.here.is_here() {
            return Ok(());
        }
        let lease = self.lease.take();
        self.queue.settle(lease, true)
    }

    /// Who died working on it last, if that is why it was in the queue.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, function};
    ///
    /// fn dies(state: State) {
    ///     let _job = state.queue::<u32>("jobs").lease(Duration::from_secs(10)).unwrap();
    ///     std::process::abort();
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let jobs = state.queue::<u32>("jobs");
    /// jobs.push(&7)?;
    /// function(dies, state.clone()).start()?.wait()?;
    /// let job = jobs.lease(Duration::from_secs(10))?;
    /// assert_eq!((*job, job.after_death().unwrap().name()), (7, "dies"));
    /// # job.done()?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn after_death(&self) -> Option<&Party> {
        self.after.as_ref()
    }
}

impl<T> Drop for Leased<T> {
    fn drop(&mut self) {
        if self.here.is_here() {
            // Of a state that is gone there is nothing to give back.
            let _ = self.queue.settle(self.lease.take(), false);
        }
    }
}

impl<T> Deref for Leased<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.item
    }
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue { point: self.point.clone(), items: PhantomData }
    }
}

impl<T> fmt::Debug for Queue<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Queue").field(&self.point).finish()
    }
}

impl<T: fmt::Debug> fmt::Debug for Leased<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Leased").field("queue", &self.queue).field("item", &self.item).finish_non_exhaustive()
    }
}
