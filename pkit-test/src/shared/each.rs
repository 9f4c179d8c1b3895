//! A shared server of which each test has a part of its own.

use std::error;
use std::fmt;
use std::sync::Arc;

use super::executor::Shared;
use super::leaving::{About, Leaving, Release};
use super::seat::Seat;
use super::shareable::Shareable;
use super::undo::{IntoUndo, Resolved, Undo};
use super::view::{Left, View};
use crate::error::{Error, Kind, Result};
use crate::ground::{Executor, Ground, Need};
use crate::guardian::lease::Lease;
use crate::handle::Process;
use crate::isolation::Isolation;

/// What makes the value of one test.
type Make<H, V> = Box<dyn FnOnce(&H, &Seat) -> Result<V, Box<dyn error::Error + Send + Sync>> + Send>;

/// A shared server of which each test has a value of its own: what [`each`](Shared::each) makes.
///
/// An executor whose handle is a [`View`]. Its holes are those of the server, and two more: `{db.seat}` and `{db.slot}`.
#[must_use = "nothing is made until it is started"]
pub struct Each<E: Shareable, V> {
    shared: Shared<E>,
    make: Make<E::Handle, V>,
    undo: Undo,
}

impl<E: Shareable> Shared<E> {
    /// Gives each test a value of its own, made from what is shared: a database, a prefix of its keys, a virtual host.
    ///
    /// `make` is called when the server is there, with its handle and the [`Seat`] of this test, which has a name and a number that
    /// nobody else has. What it returns the test gets as a [`View`]. `undo` is data, a command or a function, and not a closure:
    /// it is sent to the run before anything is made, and runs also when the test was killed. It has to be content if nothing was
    /// made. Only when it is over the slot is given to another test, and never, if it has failed.
    ///
    /// ```
    /// use pkit_test::{Process, View, orchestra, sh, simple};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let stack = orchestra()
    ///     .with("store", simple("sleep 60").shared().each(
    ///         |store: &Process, seat| std::fs::write(store.dir().join(seat.id()), "mine"),
    ///         simple(sh("rm -f {dir}/{seat}")),
    ///     ))
    ///     .with("reader", simple("cat {store.dir}/{store.seat}").may_exit())
    ///     .start()?;
    /// stack["reader"].wait()?;
    /// assert_eq!(stack["reader"].stdout(), "mine");
    /// let store: &View<()> = stack.get("store");
    /// assert!(store.shared().is_alive());
    /// # Ok(()) }
    /// ```
    pub fn each<V, F, O>(self, make: F, undo: impl IntoUndo) -> Each<E, V>
    where
        F: FnOnce(&E::Handle, &Seat) -> Result<V, O> + Send + 'static,
        O: Into<Box<dyn error::Error + Send + Sync>>,
    {
        let make: Make<E::Handle, V> = Box::new(move |handle, seat| make(handle, seat).map_err(Into::into));
        Each { shared: self, make, undo: undo.into_undo() }
    }
}

impl<E: Shareable, V: Send + 'static> Each<E, V> {
    /// Starts it by itself: waits for the server, and makes what is this test's own. It is called as the server would be.
    ///
    /// ```
    /// use pkit_test::{Process, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let view = simple("sleep 60").shared_as("store").each(|_: &Process, _| Ok::<_, String>(7), simple("true")).start()?;
    /// assert_eq!((*view, view.shared().name()), (7, "store"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the server did not become ready, and when nothing was made.
    pub fn start(self) -> Result<View<V, E::Handle>> {
        Ground::alone(self.shared.own_name(), &self)?.start(self)
    }
}

impl<E: Shareable, V: Send + 'static> Executor for Each<E, V> {
    type Handle = View<V, E::Handle>;

    fn needs(&self) -> Vec<Need> {
        self.shared.needs()
    }

    fn isolates(&self, isolation: Isolation) -> bool {
        self.shared.isolates(isolation)
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        self.shared.place(ground)
    }

    fn start_on(self, ground: &Ground) -> Result<View<V, E::Handle>> {
        let Each { shared, make, undo } = self;
        let (handle, lease) = shared.start_leased(ground)?;
        let seat = Seat::new(ground.name(), (lease.slot(), lease.number()), values::<E>(&handle, ground));
        // First of all: from here on it is undone, whatever becomes of the test.
        let left = registered(&lease, undo.resolve(&seat)?, &seat, ground)?;
        match make(&handle, &seat) {
            Ok(value) => Ok(View::new(value, left, handle, seat)),
            Err(why) => {
                let undone = left.0.leave(true).err();
                Err(not_made(&seat, &left.0.about, why).and(undone))
            }
        }
    }

    fn start(self) -> Result<View<V, E::Handle>> {
        Each::start(self)
    }

    fn process(view: &View<V, E::Handle>) -> Option<&Process> {
        E::process(view.shared())
    }

    fn values(view: &View<V, E::Handle>) -> Vec<(String, String)> {
        let seat = view.seat();
        let own = [("seat", seat.id().to_owned()), ("slot", seat.slot().to_string())];
        E::values(view.shared()).into_iter().chain(own.map(|(key, value)| (key.to_owned(), value))).collect()
    }
}

/// What the holes of the server mean, all of them: nobody can be asked later.
fn values<E: Shareable>(handle: &E::Handle, ground: &Ground) -> Vec<(String, String)> {
    let places = E::process(handle).map(|process| process.core.place().values()).unwrap_or_default();
    places.into_iter().chain(ground.inner_values()).chain(E::values(handle)).collect()
}

fn registered(lease: &Arc<Lease>, undo: Resolved, seat: &Seat, ground: &Ground) -> Result<Left> {
    let name = seat.name().to_owned();
    let about = About {
        seat: format!("{}, slot {}", seat.id(), seat.slot()),
        shown: undo.shown.clone(),
        ran: undo.ran.clone(),
        user: undo.user.clone(),
        limit: undo.limit,
        name,
    };
    undo.register(lease)?;
    // As a handle does: what is to be undone is waited for, also where this is the last one.
    lease.use_it();
    let lease = Arc::clone(lease);
    let release: Release = Box::new(move |has_failed| {
        if has_failed {
            lease.note_failure();
        }
        let undone = lease.release();
        lease.leave_it();
        undone
    });
    Ok(Left(Leaving::new(about, release, ground.name(), ground.scope())))
}

fn not_made(seat: &Seat, about: &About, why: Box<dyn error::Error + Send + Sync>) -> Error {
    let title = format!("`{}` was not started: nothing was made for this test", seat.name());
    Error::new(Kind::Other, title).fact("why", why.to_string()).fact("seat", &about.seat).because(why)
}

impl<E: Shareable + fmt::Debug, V> fmt::Debug for Each<E, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Each").field("shared", &self.shared).field("undo", &self.undo).finish_non_exhaustive()
    }
}
