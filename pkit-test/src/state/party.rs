//! A process that uses a state, for people.

use std::fmt;

use super::protocol::Who;

/// A process that has done something with a state: changed a value, or held something when it died.
///
/// ```
/// use pkit_test::{State, function};
///
/// fn work(state: State) {
///     state.set("n", &1).unwrap();
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// let changes = state.watch(&["n"])?;
/// function(work, state.clone()).start()?.join()?;
/// let change = changes.into_iter().next().unwrap()?;
/// assert_eq!(change.by().name(), "work");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Party {
    name: String,
    pid: Option<u32>,
}

impl Party {
    pub(super) fn of(who: &Who) -> Party {
        Party { name: who.name.to_string(), pid: Some(who.pid).filter(|pid| *pid > 0) }
    }

    /// Its name: that of the function process, or of the program.
    ///
    /// ```
    /// use pkit_test::State;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let mut changes = state.watch_all()?;
    /// state.set("n", &1)?;
    /// assert!(!changes.next().unwrap()?.by().name().is_empty());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id, as the server of the state sees it; `None` where it cannot.
    ///
    /// ```
    /// use pkit_test::State;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let mut changes = state.watch_all()?;
    /// state.set("n", &1)?;
    /// assert_eq!(changes.next().unwrap()?.by().pid(), Some(std::process::id()));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.pid
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.pid {
            Some(pid) => write!(f, "`{}` (pid {pid})", self.name),
            None => write!(f, "`{}`", self.name),
        }
    }
}
