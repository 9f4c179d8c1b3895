//! A state as something that can be started.

use std::path::PathBuf;

use super::server::serve;
use super::state::State;
use crate::error::Result;
use crate::function::{Worker, function};
use crate::ground::{Executor, Ground, Need, Sharing};
use crate::handle::Process;
use crate::isolation::Isolation;
use crate::ready::Said;
use crate::spec::Spec;
use crate::sys::random::random;

/// A state that several processes share: an executor whose handle is a [`State`].
///
/// ```
/// use pkit_test::{State, with_processes, state};
///
/// #[with_processes(state = state())]
/// # fn is_there(state: State) {
/// # /*
/// #[test]
/// fn is_there(state: State) {
/// # */
///     assert!(state.path().exists());
/// }
/// # is_there();
/// ```
///
/// In holes it has a `path`, which tells programs, and functions beside it in the same attribute or stack, where it is:
/// `.env(State::ENV, "{state.path}")`, and [`State::from_env`] over there.
#[track_caller]
pub fn state() -> StateSpec {
    // Whoever knows the path may come in, so that nobody may guess it.
    let socket = format!("{:016x}", random());
    StateSpec { spec: function(serve, socket.clone()).ready(Said::ready()), socket }
}

/// What a [`State`] is to be: what [`state`] makes.
///
/// ```
/// use pkit_test::{State, StateSpec, orchestra, state};
/// # fn main() -> pkit_test::Result<()> {
/// let spec: StateSpec = state();
/// let stack = orchestra().with("shared", spec).start()?;
/// assert!(stack.get::<State>("shared").is_empty()?);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
#[must_use = "a state does nothing until it is started"]
pub struct StateSpec {
    spec: Spec<Worker<()>>,
    /// The name of its socket.
    socket: String,
}

impl StateSpec {
    /// Starts its server, and returns when it can be used.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::state().start()?;
    /// assert!(state.path().exists());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When its process cannot be started, as [`Spec::start`](crate::Spec::start).
    pub fn start(self) -> Result<State> {
        Ground::alone("state".to_owned(), &self)?.start(self)
    }
}

impl StateSpec {
    /// Its server alone.
    pub(crate) fn into_server(self) -> Spec<Worker<()>> {
        self.spec
    }
}

impl Executor for StateSpec {
    type Handle = State;

    fn needs(&self) -> Vec<Need> {
        self.spec.needs()
    }

    fn isolates(&self, isolation: Isolation) -> bool {
        self.spec.isolates(isolation)
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.spec.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<State> {
        let worker = self.spec.start_on(ground)?;
        let path: PathBuf = worker.dir().join(&self.socket);
        State::owned(worker, path)
    }

    fn start(self) -> Result<State> {
        StateSpec::start(self)
    }

    fn process(handle: &State) -> Option<&Process> {
        handle.server()
    }

    fn sharing() -> Option<Sharing<StateSpec>> {
        Some(Sharing::of())
    }

    fn values(handle: &State) -> Vec<(String, String)> {
        vec![("path".to_owned(), handle.path().display().to_string())]
    }
}
