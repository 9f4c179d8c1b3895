//! Barriers: nobody goes on before all are there.

use std::time::Duration;

use super::super::own::Here;
use super::super::protocol::{BarrierAct, Reply, Request};
use super::super::state::State;
use super::super::trouble::meaningless;
use super::point::{Point, count};
use crate::config::scaled;
use crate::error::Result;

/// What [`State::barrier`] gives: a place in it, which this process has until this value is dropped.
///
/// When a process that has a place dies, those who wait are told at once ([`is_broken`](crate::Error::is_broken)), and whoever comes
/// later as well, until somebody else takes its place. Dropping it gives the place back, without harm.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::State;
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let alone = state.barrier("alone", 1)?;
/// assert_eq!(alone.wait(Duration::from_secs(10))?, 0);
/// assert_eq!(alone.waiting()?, 0);
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct Barrier {
    point: Point,
    /// The process that has the place: its forks have none.
    here: Here,
}

impl State {
    /// A barrier of that name for `n` parties: each of them opens it and [waits](Barrier::wait) there, and nobody goes on
    /// before all have come. Then it is there for the next round.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, workers};
    ///
    /// fn work(state: State) -> i64 {
    ///     let barrier = state.barrier("all have read", 3).unwrap();
    ///     let seen = state.get_or("n", 0).unwrap();
    ///     barrier.wait(Duration::from_secs(10)).unwrap();
    ///     state.increment("n", 1).unwrap();
    ///     seen
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let three = workers(3, work, |_| state.clone()).start()?;
    /// assert!(three.iter().all(|worker| worker.join().unwrap() == 0));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it was made for another number, `n` is 0, or the state is gone.
    pub fn barrier(&self, name: &str, n: usize) -> Result<Barrier> {
        let point = Point::new(self, "barrier", name);
        if n == 0 {
            return Err(meaningless(format!("{point} would be for nobody: it needs one party at least")));
        }
        // It is made when it takes part: one that is dropped leaves, and others of this process may take part already.
        let act = BarrierAct::Open { parties: n as u64 };
        match point.ask(&Request::Barrier { name: point.full_name()?, act }, Duration::ZERO)? {
            Reply::Done { .. } => Ok(Barrier { point, here: Here::now() }),
            other => Err(point.unexpected(other)),
        }
    }
}

impl Barrier {
    /// Waits until all parties are there: how many of them came before this one. So exactly one gets 0, and can do what is to
    /// be done once. `PKIT_TIMEOUT_SCALE` multiplies the timeout.
    ///
    /// ```
    /// use std::{thread, time::Duration};
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let (one, other) = (state.barrier("start", 2)?, state.barrier("start", 2)?);
    /// thread::scope(|scope| {
    ///     let other = scope.spawn(|| other.wait(Duration::from_secs(10)));
    ///     let mut places = [one.wait(Duration::from_secs(10))?, other.join().unwrap()?];
    ///     places.sort();
    ///     assert_eq!(places, [0, 1]);
    ///     Ok(())
    /// })
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over: then the round is [broken](crate::Error::is_broken) for the others who wait. When one of them has
    /// died, or its time was over. When the state is gone.
    pub fn wait(&self, timeout: Duration) -> Result<usize> {
        let timeout = scaled(timeout);
        match self.ask(BarrierAct::Arrive { timeout }, timeout)? {
            Reply::Number(before) => Ok(usize::try_from(before).unwrap_or(0)),
            other => Err(self.point.failed("was not full", timeout, other)),
        }
    }

    /// How many wait there now.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert_eq!(state.barrier("start", 2)?.waiting()?, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn waiting(&self) -> Result<u64> {
        match self.ask(BarrierAct::Waiting, Duration::ZERO)? {
            Reply::Number(waiting) => Ok(count(waiting)),
            other => Err(self.point.unexpected(other)),
        }
    }

    fn ask(&self, act: BarrierAct, patience: Duration) -> Result<Reply> {
        self.point.ask(&Request::Barrier { name: self.point.full_name()?, act }, patience)
    }
}

impl Drop for Barrier {
    fn drop(&mut self) {
        if self.here.is_here() {
            // Of a state that is gone there is nothing to give back.
            let _ = self.ask(BarrierAct::Leave, Duration::ZERO);
        }
    }
}
