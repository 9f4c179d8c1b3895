//! A state that all tests of a run have.

use super::executor::Shared;
use super::shareable::Shareable;
use crate::error::Result;
use crate::ground::{Attaching, Identity, Publication};
use crate::state::{State, StateSpec};

const PATH: &str = "path";

impl StateSpec {
    /// One for all tests of the run. There is one such; others have names.
    ///
    /// ```
    /// use pkit_test::state;
    /// # fn main() -> pkit_test::Result<()> {
    /// let (one, other) = (state().shared().start()?, state().shared().start()?);
    /// one.set("from", &"one")?;
    /// assert_eq!(other.get::<String>("from")?.as_deref(), Some("one"));
    /// # Ok(()) }
    /// ```
    pub fn shared(self) -> Shared<StateSpec> {
        Shared::of(self, Clone::clone)
    }

    /// One for all tests of the run that share one under this name.
    ///
    /// ```
    /// use pkit_test::state;
    /// # fn main() -> pkit_test::Result<()> {
    /// let (one, other) = (state().shared_as("my state").start()?, state().shared_as("another").start()?);
    /// assert_ne!(one.path(), other.path());
    /// # Ok(()) }
    /// ```
    pub fn shared_as(self, name: impl Into<String>) -> Shared<StateSpec> {
        Shared::of(self, Clone::clone).named(name)
    }
}

impl Shareable for StateSpec {
    /// Nothing: where each one would have its socket is of no interest to anybody.
    fn identify(&self, _identity: &mut Identity) {}

    fn publish(state: &State, publication: &mut Publication) {
        state.server().into_iter().for_each(|server| publication.process(server));
        publication.value(PATH, state.path().to_string_lossy());
    }

    fn attach(self, published: &mut Attaching<'_>) -> Result<State> {
        let worker = published.process(self.into_server())?;
        State::owned(worker, published.value(PATH)?.into())
    }

    fn known_as(&self) -> (String, String) {
        ("state".to_owned(), "state()".to_owned())
    }
}
