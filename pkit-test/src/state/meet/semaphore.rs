//! Semaphores: so many at a time. With one permit it is a lock.

use std::time::Duration;

use super::super::own::Here;
use super::super::party::Party;
use super::super::protocol::{Reply, Request, SemaphoreAct};
use super::super::state::State;
use super::super::trouble::meaningless;
use super::point::{Point, count};
use crate::config::scaled;
use crate::error::Result;

/// So many permits, each for one at a time: what [`State::semaphore`] gives.
///
/// ```
/// use pkit_test::State;
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let lock = state.semaphore("lock", 1)?;
/// let permit = lock.try_acquire()?;
/// assert!(permit.is_some() && lock.try_acquire()?.is_none());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Semaphore {
    point: Point,
}

/// One of the permits of a [`Semaphore`], which is given back when it is dropped, or when this process is gone. In a fork of the
/// process it is nothing.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::State;
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let lock = state.semaphore("lock", 1)?;
/// let permit = lock.acquire(Duration::from_secs(10))?;
/// assert_eq!(lock.free()?, 0);
/// drop(permit);
/// assert_eq!(lock.free()?, 1);
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use = "it is given back when it is dropped"]
pub struct Permit {
    semaphore: Semaphore,
    number: u64,
    after: Option<Party>,
    here: Here,
}

impl State {
    /// A semaphore of that name with so many permits. With one it is a lock.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let lock = state.semaphore("lock", 1)?;
    /// let permit = lock.acquire(Duration::from_secs(10))?;
    /// assert!(lock.try_acquire()?.is_none());
    /// drop(permit);
    /// assert!(lock.try_acquire()?.is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it was made for another number, `permits` is 0, or the state is gone.
    pub fn semaphore(&self, name: &str, permits: usize) -> Result<Semaphore> {
        let semaphore = Semaphore { point: Point::new(self, "semaphore", name) };
        if permits == 0 {
            let why = format!("{} would have no permits, and nobody could ever acquire one", semaphore.point);
            return Err(meaningless(why));
        }
        match semaphore.ask(SemaphoreAct::Open { permits: permits as u64 }, Duration::ZERO)? {
            Reply::Done { .. } => Ok(semaphore),
            other => Err(semaphore.point.unexpected(other)),
        }
    }
}

impl Semaphore {
    /// Waits for a permit; they are given in the order of asking. `PKIT_TIMEOUT_SCALE` multiplies the timeout.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let lock = state.semaphore("lock", 1)?;
    /// let _permit = lock.acquire(Duration::from_secs(10))?;
    /// let error = lock.acquire(Duration::from_millis(10)).unwrap_err();
    /// assert!(error.is_timeout());
    /// assert!(error.to_string().starts_with("semaphore `lock` had no free permit within 10 ms"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over: with who holds the permits. When the state is gone.
    pub fn acquire(&self, timeout: Duration) -> Result<Permit> {
        let timeout = scaled(timeout);
        match self.ask(SemaphoreAct::Acquire { timeout: Some(timeout) }, timeout)? {
            Reply::Granted { permit, after } => Ok(self.permit(permit, after.as_ref().map(Party::of))),
            other => Err(self.point.failed("had no free permit", timeout, other)),
        }
    }

    /// A permit, if one is free and nobody waits for it.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let two = state.semaphore("two", 2)?;
    /// let held = (two.try_acquire()?, two.try_acquire()?);
    /// assert!(held.0.is_some() && held.1.is_some());
    /// assert!(two.try_acquire()?.is_none());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn try_acquire(&self) -> Result<Option<Permit>> {
        match self.ask(SemaphoreAct::Acquire { timeout: None }, Duration::ZERO)? {
            Reply::Granted { permit, after } => Ok(Some(self.permit(permit, after.as_ref().map(Party::of)))),
            Reply::Late { .. } => Ok(None),
            other => Err(self.point.unexpected(other)),
        }
    }

    /// How many permits are free.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let two = state.semaphore("two", 2)?;
    /// let _permit = two.try_acquire()?;
    /// assert_eq!(two.free()?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn free(&self) -> Result<u64> {
        match self.ask(SemaphoreAct::Free, Duration::ZERO)? {
            Reply::Number(free) => Ok(count(free)),
            other => Err(self.point.unexpected(other)),
        }
    }

    fn permit(&self, number: u64, after: Option<Party>) -> Permit {
        Permit { semaphore: self.clone(), number, after, here: Here::now() }
    }

    fn ask(&self, act: SemaphoreAct, patience: Duration) -> Result<Reply> {
        self.point.ask(&Request::Semaphore { name: self.point.full_name()?, act }, patience)
    }
}

impl Permit {
    /// Who died holding it, if that is why it was free: what it protects may be half done.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, function};
    ///
    /// fn dies(state: State) {
    ///     let _permit = state.semaphore("lock", 1).unwrap().acquire(Duration::from_secs(10)).unwrap();
    ///     std::process::abort();
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// function(dies, state.clone()).start()?.wait()?;
    /// let permit = state.semaphore("lock", 1)?.acquire(Duration::from_secs(10))?;
    /// assert_eq!(permit.after_death().unwrap().name(), "dies");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn after_death(&self) -> Option<&Party> {
        self.after.as_ref()
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if self.here.is_here() {
            // Of a state that is gone there is nothing to give back.
            let _ = self.semaphore.ask(SemaphoreAct::Release { permit: self.number }, Duration::ZERO);
        }
    }
}
