//! A whole orchestra for all tests of a run.

use super::executor::Shared;
use super::shareable::Shareable;
use crate::error::Result;
use crate::ground::{Attaching, Identity, Publication};
use crate::orchestra::{Orchestra, Stack};

impl Orchestra {
    /// All of it is one for all tests of the run that share the same: what has members of the same names, each of which is the
    /// same.
    ///
    /// ```
    /// use pkit_test::{orchestra, simple, tcp};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = || {
    ///     let server = tcp("python3 -m http.server --bind {host} {port}", 0);
    ///     orchestra().with("client", simple("sh -c 'echo {server.port}; exec sleep 60'")).with("server", server)
    /// };
    /// let (one, other) = (stack().shared().start()?, stack().shared().start()?);
    /// assert_eq!(one["client"].pid(), other["client"].pid());
    /// assert_eq!(one["server"].addr(), other["server"].addr());
    /// # Ok(()) }
    /// ```
    pub fn shared(self) -> Shared<Orchestra> {
        Shared::of(self, Orchestra::twin)
    }

    /// The same under a name, which alone says what is the same.
    ///
    /// ```
    /// use pkit_test::{orchestrate, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = || orchestrate([("sleeper", simple("sleep 60").on_exit(|_, _| ()))]);
    /// let (one, other) = (stack().shared_as("first").start()?, stack().shared_as("second").start()?);
    /// assert_ne!(one["sleeper"].pid(), other["sleeper"].pid());
    /// # Ok(()) }
    /// ```
    pub fn shared_as(self, name: impl Into<String>) -> Shared<Orchestra> {
        Shared::of(self, Orchestra::twin).named(name)
    }
}

impl Shareable for Orchestra {
    fn identify(&self, identity: &mut Identity) {
        self.identify_members(identity);
    }

    fn publish(stack: &Stack, publication: &mut Publication) {
        stack.publish_members(publication);
    }

    fn attach(self, published: &mut Attaching<'_>) -> Result<Stack> {
        self.attach_members(published)
    }

    fn known_as(&self) -> (String, String) {
        ("stack".to_owned(), self.shown())
    }
}
