//! What one test has of a shared server: a value of its own, and what is common.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use super::leaving::Leaving;
use super::seat::Seat;
use crate::error::Result;
use crate::handle::Process;

/// The value that one test has of a shared server: what [`each`](crate::Shared::each) has made for it.
///
/// It derefs to the value. When it is gone so is what was made: the value is dropped first, then it is undone, and only then the
/// test lets go of the server. At the end of an attribute, an orchestra's scope or a stack that is so wherever the view is by then:
/// moved to a thread that still runs, or forgotten. A handle by itself has it undone where it is dropped.
///
/// It belongs to this test, and cannot be shared once more; a [function](crate::function()) can be given its [`Seat`].
///
/// ```
/// use pkit_test::{Process, View, sh, simple, with_processes};
///
/// struct Notes(std::path::PathBuf);
///
/// #[with_processes(store = simple("sleep 60").shared().each(
///     |store: &Process, seat| {
///         let own = store.dir().join(seat.id());
///         std::fs::create_dir(&own).map(|()| Notes(own))
///     },
///     simple(sh("rm -rf {dir}/{seat}")),
/// ))]
/// fn has_notes_of_its_own(store: View<Notes>) {
///     std::fs::write(store.0.join("note"), "mine").unwrap();
///     assert!(store.shared().is_alive());
///     assert!(store.0.ends_with(store.seat().id()));
/// }
/// # has_notes_of_its_own();
/// ```
pub struct View<V, H = Process> {
    // In the order in which they go.
    value: V,
    leaving: Left,
    shared: H,
    seat: Seat,
}

impl<V, H> View<V, H> {
    pub(super) fn new(value: V, leaving: Left, shared: H, seat: Seat) -> View<V, H> {
        View { value, leaving, shared, seat }
    }

    /// The handle of the shared server.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// use pkit_test::{Error, simple};
    ///
    /// let view = simple("sleep 60").shared().each(|_, seat| Ok::<_, Error>(seat.slot()), simple("true")).start()?;
    /// assert!(view.shared().pid().is_some());
    /// # Ok(()) }
    /// ```
    pub fn shared(&self) -> &H {
        &self.shared
    }

    /// The place of this test at the server.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// use pkit_test::{Error, simple};
    ///
    /// let view = simple("sleep 60").shared().each(|_, seat| Ok::<_, Error>(seat.slot()), simple("true")).start()?;
    /// assert_eq!(view.seat().slot(), *view);
    /// # Ok(()) }
    /// ```
    pub fn seat(&self) -> &Seat {
        &self.seat
    }

    /// Undoes it now, and says how that went. Without this it is the end of the test that says so, or of a handle by itself what
    /// is printed.
    ///
    /// ```
    /// use pkit_test::{Process, sh, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let store = simple("sleep 60").shared().each(|_: &Process, _| Ok::<_, String>(()), simple(sh("echo gone >&2; exit 3")));
    /// let error = store.start()?.undo().unwrap_err();
    /// assert!(error.is_exit());
    /// assert!(error.to_string().starts_with("undo of `sleep` failed\n"));
    /// assert!(error.to_string().ends_with("\n  stderr: gone"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it did not end with exit code 0 in its time, or could not be started.
    pub fn undo(self) -> Result<()> {
        let View { value, leaving, shared, .. } = self;
        drop(value);
        let undone = leaving.0.leave(std::thread::panicking());
        drop(leaving);
        drop(shared);
        undone
    }
}

impl<V, H> Deref for View<V, H> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}

impl<V, H> DerefMut for View<V, H> {
    fn deref_mut(&mut self) -> &mut V {
        &mut self.value
    }
}

impl<V: fmt::Debug, H> fmt::Debug for View<V, H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("value", &self.value).field("seat", &self.seat).finish_non_exhaustive()
    }
}

/// Lets go where it is dropped: also where nothing was made, and where the value panics when it is dropped.
#[derive(Debug)]
pub(super) struct Left(pub(super) Arc<Leaving>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.dropped();
    }
}
