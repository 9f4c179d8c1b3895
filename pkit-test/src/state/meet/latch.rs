//! Latches: closed until something has happened so many times, and open for ever then.

use std::time::Duration;

use super::super::protocol::{LatchAct, Reply, Request};
use super::super::state::State;
use super::point::{Point, count};
use crate::config::scaled;
use crate::error::Result;

/// A number that is counted down, and those who wait until nothing is left: what [`State::latch`] gives.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::State;
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let loaded = state.latch("loaded", 2)?;
/// assert_eq!((loaded.count_down()?, loaded.count_down()?), (1, 0));
/// loaded.wait(Duration::ZERO)?;
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Latch {
    point: Point,
}

impl State {
    /// A latch of that name, which opens when it was counted down `n` times, by whomever. For 0 it is open.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, workers};
    ///
    /// fn work(state: State) {
    ///     state.latch("done", 3).unwrap().count_down().unwrap();
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let done = state.latch("done", 3)?;
    /// let _three = workers(3, work, |_| state.clone()).start()?;
    /// done.wait(Duration::from_secs(10))?;
    /// assert_eq!(done.count()?, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it was made for another number, or the state is gone.
    pub fn latch(&self, name: &str, n: usize) -> Result<Latch> {
        let latch = Latch { point: Point::new(self, "latch", name) };
        match latch.ask(LatchAct::Open { count: n as u64 }, Duration::ZERO)? {
            Reply::Done { .. } => Ok(latch),
            other => Err(latch.point.unexpected(other)),
        }
    }
}

impl Latch {
    /// Counts down by one: how many are left. Below 0 it does not go.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let latch = state.latch("done", 2)?;
    /// assert_eq!([latch.count_down()?, latch.count_down()?, latch.count_down()?], [1, 0, 0]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn count_down(&self) -> Result<u64> {
        self.number(LatchAct::CountDown { by: 1 })
    }

    /// Waits until nothing is left. `PKIT_TIMEOUT_SCALE` multiplies the timeout.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let latch = state.latch("done", 1)?;
    /// assert!(latch.wait(Duration::from_millis(10)).unwrap_err().is_timeout());
    /// latch.count_down()?;
    /// latch.wait(Duration::ZERO)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over, or the state is gone.
    pub fn wait(&self, timeout: Duration) -> Result<()> {
        let timeout = scaled(timeout);
        match self.ask(LatchAct::Wait { timeout }, timeout)? {
            Reply::Done { .. } => Ok(()),
            other => Err(self.point.failed("was not counted down", timeout, other)),
        }
    }

    /// How many are left.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(pkit_test::State::new()?.latch("done", 2)?.count()?, 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn count(&self) -> Result<u64> {
        self.number(LatchAct::Count)
    }

    fn number(&self, act: LatchAct) -> Result<u64> {
        match self.ask(act, Duration::ZERO)? {
            Reply::Number(left) => Ok(count(left)),
            other => Err(self.point.unexpected(other)),
        }
    }

    fn ask(&self, act: LatchAct, patience: Duration) -> Result<Reply> {
        self.point.ask(&Request::Latch { name: self.point.full_name()?, act }, patience)
    }
}
