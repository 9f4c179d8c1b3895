//! Something that is shared, as an executor like any other.

use std::fmt;
use std::thread::ThreadId;

use super::shareable::Shareable;
use crate::error::Result;
use crate::ground::{Executor, Ground, Refusal, Sharing};
use crate::handle::Process;

/// One for all tests of a run: what `shared()` makes of a spec, a state, an orchestra, or of anything else that is
/// [`Shareable`].
///
/// It is an executor like any other: in an attribute, in an orchestra, or started by itself. Its handle is that of what is
/// shared, and dropping it lets go.
///
/// ```
/// use pkit_test::{Process, Shared, Spec, tcp, with_processes};
///
/// fn server() -> Shared<Spec> {
///     tcp("python3 -m http.server --bind {host} {port}", 0).shared()
/// }
///
/// #[with_processes(one = server(), other = server())]
/// fn is_the_same(one: Process, other: &Process) {
///     assert_eq!(one.pid(), other.pid());
/// }
/// # is_the_same();
/// ```
#[must_use = "what is shared is nowhere until it is started"]
pub struct Shared<E> {
    pub(super) executor: E,
    pub(super) twin: fn(&E) -> E,
    /// What alone says what is the same.
    pub(super) name: Option<String>,
    pub(super) is_exclusive: bool,
    pub(super) tries_again: bool,
    /// Which test this is, for people: it may be started on a thread that has no name.
    pub(super) thread: Option<String>,
    /// The same for the broker: two threads may have the same name, and are of two tests.
    pub(super) thread_id: ThreadId,
}

impl<E: Shareable> Shared<E> {
    pub(crate) fn of(executor: E, twin: fn(&E) -> E) -> Shared<E> {
        let current = std::thread::current();
        let (thread, thread_id) = (current.name().map(str::to_owned), current.id());
        Shared { executor, twin, name: None, is_exclusive: false, tries_again: false, thread, thread_id }
    }

    pub(crate) fn named(self, name: impl Into<String>) -> Shared<E> {
        Shared { name: Some(name.into()), ..self }
    }

    /// For this test alone: waits until all others have let go, and keeps new ones out until this one does.
    ///
    /// Then it may be stopped, killed and started again, on the same ports; the others see what has become of it.
    ///
    /// ```
    /// use pkit_test::{Restart, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let alone = simple("sleep 67").shared().exclusive().start()?;
    /// let before = alone.pid();
    /// alone.restart(Restart::Forced)?;
    /// assert_ne!(alone.pid(), before);
    /// # Ok(()) }
    /// ```
    pub fn exclusive(mut self) -> Shared<E> {
        self.is_exclusive = true;
        self
    }

    /// Starts it also where a start of it has failed before in this run. Without this nobody tries again, and all fail
    /// with the same error at once.
    ///
    /// ```
    /// use pkit_test::finished;
    /// # fn main() -> pkit_test::Result<()> {
    /// let path = std::env::temp_dir().join(format!("again-{}", std::process::id()));
    /// let step = || finished(["test", "-e", path.to_str().unwrap()]).shared();
    /// let error = step().start().unwrap_err();
    /// std::fs::write(&path, "").unwrap();
    /// assert_eq!(step().start().unwrap_err().to_string(), error.to_string());
    /// step().try_again().start()?;
    /// step().start()?;
    /// # std::fs::remove_file(&path).unwrap();
    /// # Ok(()) }
    /// ```
    pub fn try_again(mut self) -> Shared<E> {
        self.tries_again = true;
        self
    }

    /// Starts it, or finds it where a test of this run has started it; returns when it is ready.
    ///
    /// Without a name of its own it is called by its [name](Shareable::shared_as), or as what is shared would be.
    ///
    /// ```
    /// use pkit_test::simple;
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(simple("sleep 60").shared().start()?.name(), "sleep");
    /// assert_eq!(simple("sleep 60").shared_as("sleeper").start()?.name(), "sleeper");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it cannot be shared: it needs a process of this test, it has closures and no name, it is supervised or is to have
    /// a network of its own. When its start has failed, now or before in this run. And when others have it for too long.
    pub fn start(self) -> Result<E::Handle> {
        let ground = Ground::alone(self.own_name(), &self)?;
        ground.start(self)
    }

    /// What it is called where it is started by itself.
    pub(super) fn own_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| self.executor.known_as().0)
    }
}

impl<E> Shared<E> {
    /// The same once more.
    fn twin(&self) -> Shared<E> {
        let (name, thread) = (self.name.clone(), self.thread.clone());
        Shared { executor: (self.twin)(&self.executor), name, thread, ..*self }
    }
}

impl<E: Shareable> Executor for Shared<E> {
    type Handle = E::Handle;

    /// Nothing can be reserved for what may be there already. What cannot be shared is known before anything runs.
    fn place(&mut self, ground: &Ground) -> Result<()> {
        ground.note_late();
        self.check(ground).map(drop)
    }

    fn start_on(self, ground: &Ground) -> Result<E::Handle> {
        self.start_leased(ground).map(|(handle, _)| handle)
    }

    fn start(self) -> Result<E::Handle> {
        Shared::start(self)
    }

    fn process(handle: &E::Handle) -> Option<&Process> {
        E::process(handle)
    }

    fn values(handle: &E::Handle) -> Vec<(String, String)> {
        E::values(handle)
    }

    /// That of a part of something that is shared itself.
    fn sharing() -> Option<Sharing<Shared<E>>> {
        Some(Sharing {
            twin: Shared::twin,
            identify: |_, identity| identity.refuse(within_another()),
            publish: E::publish,
            attach: |shared, published| shared.executor.attach(published),
        })
    }
}

pub(super) fn within_another() -> Refusal {
    Refusal {
        what: "a part of it is shared by itself".to_owned(),
        why: "what is shared is shared with all its parts, which come and go together".to_owned(),
        hint: "leave out the inner `shared()`".to_owned(),
        ..Refusal::default()
    }
}

impl<E: fmt::Debug> fmt::Debug for Shared<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shared").field(&self.executor).finish()
    }
}
