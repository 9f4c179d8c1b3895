//! What can be shared: an executor that can say what it is, and whose handle others can have as well.

use std::any::type_name;

use super::executor::Shared;
use crate::error::Result;
use crate::ground::{Attaching, Executor, Identity, Publication, Sharing, name_of_type};
use crate::quote::without_crates;

/// An executor of which all tests of a run can use the same one.
///
/// A [`Spec`](crate::Spec) is one, and so are a [`state`](crate::state()) and an [`Orchestra`](crate::Orchestra). One of your own
/// says three things: what makes two of it the same, what others have to be told of it, and how a test that has not started
/// it comes by its handle. What was published is attached in the same order.
///
/// ```
/// use pkit_test::{Attaching, Executor, Ground, Identity, Process, Publication, Result, Shareable, Sharing, Spec, tcp};
///
/// /// A server, and the password that it was started with.
/// #[derive(Clone)]
/// struct Guarded {
///     server: Spec,
///     user: &'static str,
/// }
///
/// struct Door {
///     server: Process,
///     password: String,
/// }
///
/// impl Executor for Guarded {
///     type Handle = Door;
///
///     fn start_on(self, ground: &Ground) -> Result<Door> {
///         let password = format!("{}-{}", self.user, ground.port()?);
///         let server = ground.start(self.server.env("PASSWORD", &password))?;
///         Ok(Door { server, password })
///     }
///
///     fn process(door: &Door) -> Option<&Process> {
///         Some(&door.server)
///     }
///
///     // So that an orchestra can be shared that has it.
///     fn sharing() -> Option<Sharing<Guarded>> {
///         Some(Sharing::of())
///     }
/// }
///
/// impl Shareable for Guarded {
///     fn identify(&self, identity: &mut Identity) {
///         identity.executor(&self.server);
///         identity.text(self.user);
///     }
///
///     fn publish(door: &Door, publication: &mut Publication) {
///         publication.process(&door.server);
///         publication.value("password", &door.password);
///     }
///
///     fn attach(self, published: &mut Attaching<'_>) -> Result<Door> {
///         Ok(Door { server: published.process(self.server)?, password: published.value("password")? })
///     }
/// }
///
/// # fn main() -> Result<()> {
/// let guarded = Guarded { server: tcp("python3 -m http.server --bind {host} {port}", 0), user: "anna" };
/// let (one, other) = (guarded.clone().shared().start()?, guarded.shared().start()?);
/// assert_eq!(one.server.pid(), other.server.pid());
/// assert_eq!(one.password, other.password);
/// # Ok(()) }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be shared",
    label = "nobody has said how others come by its handle",
    note = "a spec can be shared, a state, and an orchestra; an executor of one's own that is `Shareable`"
)]
pub trait Shareable: Executor + Sized {
    /// What makes two of them the same. Whatever they would be started with, and nothing that differs from test to test.
    fn identify(&self, identity: &mut Identity);

    /// What other tests have to be told, in an order that [`attach`](Shareable::attach) knows. At least one process of it, which
    /// is what keeps it up for a test that has it.
    fn publish(handle: &Self::Handle, publication: &mut Publication);

    /// Comes by a handle to what is up already. Whoever has started it attaches to it as well.
    ///
    /// # Errors
    ///
    /// When what was published is something else.
    fn attach(self, published: &mut Attaching<'_>) -> Result<Self::Handle>;

    /// One for all tests of the run that share the same.
    ///
    /// Whoever needs it first starts it, all others find it, and it goes when the run ends.
    ///
    /// ```
    /// use pkit_test::{Shareable, simple};
    ///
    /// fn common<E: Shareable + Clone>(executor: &E) -> pkit_test::Result<[E::Handle; 2]> {
    ///     Ok([executor.clone().shared().start()?, executor.clone().shared().start()?])
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let [one, other] = common(&simple("sleep 60"))?;
    /// assert_eq!(one.pid(), other.pid());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    fn shared(self) -> Shared<Self>
    where
        Self: Clone,
    {
        Shared::of(self, Clone::clone)
    }

    /// The same under a name, which alone says what is the same: for what has closures, which cannot be compared, and to have two
    /// of what would be one.
    ///
    /// ```
    /// use pkit_test::{Shareable, simple};
    ///
    /// fn named<E: Shareable + Clone>(executor: &E, name: &str) -> pkit_test::Result<E::Handle> {
    ///     executor.clone().shared_as(name).start()
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60");
    /// let [one, other] = [named(&sleeper, "one")?, named(&sleeper, "other")?];
    /// assert_ne!(one.pid(), other.pid());
    /// # Ok(()) }
    /// ```
    #[track_caller]
    fn shared_as(self, name: impl Into<String>) -> Shared<Self>
    where
        Self: Clone,
    {
        Shared::of(self, Clone::clone).named(name)
    }

    /// What it is called where nobody calls it anything, and how it was written: for people.
    #[doc(hidden)]
    fn known_as(&self) -> (String, String) {
        (name_of_type::<Self>(), String::new())
    }
}

impl<E: Shareable + Clone> Sharing<E> {
    /// As it says itself.
    ///
    /// ```
    /// use pkit_test::{Spec, Sharing};
    /// let _of_a_spec: Sharing<Spec> = Sharing::of();
    /// ```
    #[must_use]
    pub fn of() -> Sharing<E> {
        Sharing::with(Clone::clone)
    }
}

impl<E: Shareable> Sharing<E> {
    pub(crate) fn with(twin: fn(&E) -> E) -> Sharing<E> {
        Sharing {
            twin,
            identify: |executor, identity| identity.executor(executor),
            publish: E::publish,
            attach: E::attach,
        }
    }
}

impl Identity {
    /// That of an executor.
    ///
    /// ```
    /// use pkit_test::{Identity, simple};
    /// assert_eq!(Identity::of(&simple("cat")), Identity::of(&simple("cat")));
    /// assert_ne!(Identity::of(&simple("cat")), Identity::of(&simple("cat -n")));
    /// ```
    #[must_use]
    pub fn of<E: Shareable>(executor: &E) -> Identity {
        let mut identity = Identity::default();
        identity.executor(executor);
        identity
    }

    /// All that makes another executor what it is, as a part of this one.
    ///
    /// ```
    /// use pkit_test::{Identity, simple};
    ///
    /// let both = |one: &str, other: &str| {
    ///     let mut identity = Identity::default();
    ///     identity.executor(&simple(one));
    ///     identity.executor(&simple(other));
    ///     identity
    /// };
    /// assert_eq!(both("cat", "sleep 1"), both("cat", "sleep 1"));
    /// assert_ne!(both("cat", "sleep 1"), both("cat", "sleep 2"));
    /// ```
    pub fn executor<E: Shareable>(&mut self, executor: &E) {
        self.text(without_crates(type_name::<E>()));
        executor.identify(self);
    }
}
