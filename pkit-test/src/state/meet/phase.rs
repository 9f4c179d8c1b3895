//! Phases: processes that are walked from step to step.

use std::time::Duration;

use super::super::party::Party;
use super::super::protocol::{PhaseAct, Reply, Request, Who};
use super::super::state::State;
use super::point::{Point, count};
use crate::config::scaled;
use crate::error::Result;

/// Steps at which processes stand until they are let on: what [`State::phase`] gives.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::State;
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let phase = state.phase("writers");
/// phase.open("write")?;
/// phase.pass("write", Duration::ZERO)?;    // nobody stops at what is open
/// assert!(phase.standing("write")?.is_empty());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Phase {
    point: Point,
}

impl State {
    /// Steps that processes come to and stand at until a test lets them on: so it can make them do things in any order, each time
    /// the same. A step is there without being made.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, workers};
    ///
    /// const SECONDS: Duration = Duration::from_secs(10);
    ///
    /// fn add_one(state: State) {
    ///     let n: u32 = state.get_or("n", 0).unwrap();
    ///     state.phase("add").pass("has read", SECONDS).unwrap();
    ///     state.set("n", &(n + 1)).unwrap();
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let two = workers(2, add_one, |_| state.clone()).start()?;
    /// let phase = state.phase("add");
    /// phase.wait_for("has read", 2, SECONDS)?;
    /// phase.let_on("has read")?;
    /// assert!(two.iter().all(|worker| worker.join().is_ok()));
    /// assert_eq!(state.get("n")?, Some(1)); // One of the two was lost, whenever this is run.
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn phase(&self, name: &str) -> Phase {
        Phase { point: Point::new(self, "phase", name) }
    }
}

impl Phase {
    /// Comes to a step and stands there until it is let on. `PKIT_TIMEOUT_SCALE` multiplies the timeout.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let phase = pkit_test::State::new()?.phase("start");
    /// assert!(phase.pass("up", Duration::from_millis(10)).unwrap_err().is_timeout());
    /// phase.open("up")?;
    /// phase.pass("up", Duration::ZERO)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over, or the state is gone.
    pub fn pass(&self, step: &str, timeout: Duration) -> Result<()> {
        let timeout = scaled(timeout);
        match self.ask(PhaseAct::Pass { step: step.into(), timeout }, timeout)? {
            Reply::Done { .. } => Ok(()),
            other => Err(self.point.failed(&format!("let nobody on from step `{step}`"), timeout, other)),
        }
    }

    /// Waits until so many stand at a step: who does, in the order of coming. `PKIT_TIMEOUT_SCALE` multiplies the timeout.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let phase = pkit_test::State::new()?.phase("start");
    /// let error = phase.wait_for("up", 1, Duration::from_millis(10)).unwrap_err();
    /// assert!(error.to_string().starts_with("phase `start` had less than 1 standing at step `up` within 10 ms"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over: with who stands where. When the state is gone.
    pub fn wait_for(&self, step: &str, n: usize, timeout: Duration) -> Result<Vec<Party>> {
        let timeout = scaled(timeout);
        match self.ask(PhaseAct::WaitFor { step: step.into(), count: n as u64, timeout }, timeout)? {
            Reply::Standing(standing) => Ok(parties(&standing)),
            other => Err(self.point.failed(&format!("had less than {n} standing at step `{step}`"), timeout, other)),
        }
    }

    /// Lets all on who stand at a step now: how many. Whoever comes later stands there again.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(pkit_test::State::new()?.phase("start").let_on("up")?, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn let_on(&self, step: &str) -> Result<u64> {
        self.number(PhaseAct::LetOn { step: step.into(), count: None })
    }

    /// Lets the one on who has stood at a step longest: whether there is one.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert!(!pkit_test::State::new()?.phase("start").let_one_on("up")?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn let_one_on(&self, step: &str) -> Result<bool> {
        Ok(self.number(PhaseAct::LetOn { step: step.into(), count: Some(1) })? > 0)
    }

    /// Lets all on who stand at a step, and nobody stops there any more: how many stood there.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let phase = pkit_test::State::new()?.phase("start");
    /// assert_eq!(phase.open("up")?, 0);
    /// phase.pass("up", Duration::ZERO)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn open(&self, step: &str) -> Result<u64> {
        self.number(PhaseAct::Open { step: step.into() })
    }

    /// Who stands at a step now, in the order of coming.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert!(pkit_test::State::new()?.phase("start").standing("up")?.is_empty());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn standing(&self, step: &str) -> Result<Vec<Party>> {
        match self.ask(PhaseAct::Standing { step: step.into() }, Duration::ZERO)? {
            Reply::Standing(standing) => Ok(parties(&standing)),
            other => Err(self.point.unexpected(other)),
        }
    }

    fn number(&self, act: PhaseAct) -> Result<u64> {
        match self.ask(act, Duration::ZERO)? {
            Reply::Number(number) => Ok(count(number)),
            other => Err(self.point.unexpected(other)),
        }
    }

    fn ask(&self, act: PhaseAct, patience: Duration) -> Result<Reply> {
        self.point.ask(&Request::Phase { name: self.point.full_name()?, act }, patience)
    }
}

fn parties(standing: &[Who]) -> Vec<Party> {
    standing.iter().map(Party::of).collect()
}
