//! Counters: numbers that are only added to, and waited for.
//!
//! They are values as all others, in a place of their own: a key may be called as a counter.

use std::time::Duration;

use super::super::state::State;
use crate::error::Result;

/// A number that goes up and down: what [`State::counter`] gives.
///
/// ```
/// use pkit_test::State;
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let done = state.counter("done");
/// assert_eq!((done.add(3)?, done.add(-1)?, done.get()?), (3, 2, 2));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Counter {
    values: State,
    name: String,
}

impl State {
    /// A counter of that name, which is 0 at first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, workers};
    ///
    /// fn work(state: State) {
    ///     (0..10).for_each(|_| drop(state.counter("done").add(1).unwrap()));
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let _three = workers(3, work, |_| state.clone()).start()?;
    /// assert_eq!(state.counter("done").wait_at_least(30, Duration::from_secs(10))?, 30);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn counter(&self, name: &str) -> Counter {
        Counter { values: self.of_counters(), name: name.to_owned() }
    }
}

impl Counter {
    /// Adds to it: what it is now.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let counter = pkit_test::State::new()?.counter("n");
    /// assert_eq!((counter.add(3)?, counter.add(-1)?), (3, 2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the sum would be no `i64`, or the state is gone.
    pub fn add(&self, by: i64) -> Result<i64> {
        self.values.increment(&self.name, by)
    }

    /// What it is.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(pkit_test::State::new()?.counter("n").get()?, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn get(&self) -> Result<i64> {
        self.values.get_or(&self.name, 0)
    }

    /// Waits until it is so large, or was so for a moment: what it was then. `PKIT_TIMEOUT_SCALE` multiplies the timeout.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let counter = pkit_test::State::new()?.counter("n");
    /// counter.add(2)?;
    /// let error = counter.wait_at_least(3, Duration::from_millis(10)).unwrap_err();
    /// assert!(error.to_string().starts_with("counter `n` was not 3 within 10 ms\n  value:  2\n"), "{error}");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over: with what it was last, and who has added to it. When the state is gone.
    pub fn wait_at_least(&self, least: i64, timeout: Duration) -> Result<i64> {
        let failed = format!("counter {} was not {least}", self.values.called(&self.name));
        self.values.wait_number(&self.name, least, timeout, &failed)
    }
}
