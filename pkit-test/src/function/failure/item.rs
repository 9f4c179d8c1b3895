//! What is said of an item of a pool that has no answer.

use std::sync::Arc;

use super::{Failure, Inner, Reason};
use crate::parcel::{Outcome, PanicNote};

impl Failure {
    /// What a worker that goes on has said of an item.
    pub(crate) fn answered(name: &str, outcome: Outcome, panic: Option<PanicNote>) -> Failure {
        Inner::said(name, outcome, panic).into()
    }

    /// The pool was dropped before it was done.
    pub(crate) fn dropped(name: &str) -> Failure {
        Inner::new(Reason::Dropped, format!("`{name}` has no answer: the pool was dropped before it was done")).into()
    }

    /// The process lives, and its connection does not.
    pub(crate) fn cut_off(name: &str) -> Failure {
        Inner::new(Reason::Other, format!("`{name}` closed the connection between its worker and the pool")).into()
    }

    /// What came from it is no answer.
    pub(crate) fn nonsense(name: &str) -> Failure {
        let title = format!("`{name}` wrote to the connection between its worker and the pool what is no answer");
        Inner::new(Reason::Other, title).into()
    }

    /// The same, of that item.
    pub(crate) fn of_item(mut self, number: u64) -> Failure {
        Arc::make_mut(&mut self.inner).item = Some(number);
        self
    }

    /// Which item of a pool it was: its place among those that were mapped, or how many were submitted before it.
    ///
    /// ```
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(2)?;
    /// let failure = pool.map(|n: u32| 6 / n, [2, 0, 3]).find_map(Result::err).unwrap();
    /// assert_eq!(failure.item(), Some(1));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn item(&self) -> Option<u64> {
        self.inner.item
    }

    /// The pool was dropped before the item was done.
    ///
    /// ```
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(1)?;
    /// let forever = pool.submit(|| -> () { loop { std::thread::park() } }, ());
    /// drop(pool);
    /// assert!(forever.join().unwrap_err().is_dropped());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_dropped(&self) -> bool {
        self.inner.reason == Reason::Dropped
    }
}
