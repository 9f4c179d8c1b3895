//! What the test that has started something tells all others of it, and how those read it.
//!
//! Both go through it in the same order. Each part says what it is, so that whoever reads something else than was written is
//! told of it and not given nonsense.

use std::fmt;

use super::Ground;
use crate::error::Error;
use crate::guardian::lease::Attached;

/// What is told to all tests of something that one of them has started; what
/// [`Shareable::publish`](crate::Shareable::publish) fills, and an example is with [`Shareable`](crate::Shareable).
#[derive(Default)]
pub struct Publication {
    pub(crate) parts: Vec<Vec<u8>>,
    /// The runs whose end is the end of all of it.
    pub(crate) vital: Vec<u32>,
    pub(crate) has_process: bool,
    /// Why something cannot be told.
    pub(crate) trouble: Option<Error>,
}

/// Where a test reads what was published; what [`Shareable::attach`](crate::Shareable::attach) is given, and an example is with
/// [`Shareable`](crate::Shareable).
pub struct Attaching<'a> {
    pub(crate) attached: &'a Attached,
    /// The part that is next.
    pub(crate) next: &'a mut u32,
    pub(crate) ground: Ground,
}

impl Attaching<'_> {
    /// Where it is attached: by its name, and for what is made here and not over there.
    ///
    /// ```
    /// use pkit_test::{Attaching, Executor, Ground, Identity, Process, Publication, Result, Shareable, Spec, simple};
    ///
    /// /// A process, and what this test calls it.
    /// #[derive(Clone)]
    /// struct Called(Spec);
    ///
    /// impl Executor for Called {
    ///     type Handle = (Process, String);
    ///     fn start_on(self, ground: &Ground) -> Result<(Process, String)> {
    ///         Ok((ground.start(self.0)?, ground.name().to_owned()))
    ///     }
    /// }
    ///
    /// impl Shareable for Called {
    ///     fn identify(&self, identity: &mut Identity) { identity.executor(&self.0); }
    ///     fn publish(called: &(Process, String), publication: &mut Publication) { publication.process(&called.0); }
    ///     fn attach(self, published: &mut Attaching<'_>) -> Result<(Process, String)> {
    ///         Ok((published.process(self.0)?, published.ground().name().to_owned()))
    ///     }
    /// }
    ///
    /// # fn main() -> Result<()> {
    /// let called = || Called(simple("sleep 66")).shared();
    /// let stack = pkit_test::orchestra().with("hinz", called()).with("kunz", called()).start()?;
    /// let [hinz, kunz] = ["hinz", "kunz"].map(|name| stack.get::<(Process, String)>(name));
    /// assert_eq!(hinz.0.pid(), kunz.0.pid());
    /// assert_eq!((hinz.1.as_str(), kunz.1.as_str()), ("hinz", "kunz"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Where a [part](Ground::child) of it is attached that was started there. An example is with
    /// [`part`](Publication::part).
    ///
    /// # Panics
    ///
    /// As [`Ground::child`].
    #[must_use]
    #[track_caller]
    pub fn child(&mut self, name: &str) -> Attaching<'_> {
        let ground = self.ground.child(name);
        self.on(ground)
    }

    /// The same for what is on other ground.
    pub(crate) fn on(&mut self, ground: Ground) -> Attaching<'_> {
        Attaching { attached: self.attached, next: &mut *self.next, ground }
    }
}

impl fmt::Debug for Publication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Publication").field("parts", &self.parts.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Attaching<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attaching").field("name", &self.ground.name()).finish_non_exhaustive()
    }
}
