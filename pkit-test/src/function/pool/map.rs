//! The answers to many items, in their order.

use std::collections::VecDeque;
use std::fmt;
use std::iter::{Enumerate, Fuse};
use std::marker::PhantomData;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Pool;
use super::job::{Call, Promise};
use crate::function::failure::Failure;

/// The answers of [`Pool::map`], in the order of the items.
///
/// Nothing happens until it is asked for the first one. Then it keeps twice as many items under way as the pool has workers, so
/// that these need not wait for its reader; and no more, so that the items may be endless.
///
/// ```
/// use pkit_test::Pool;
/// # fn main() -> pkit_test::Result<()> {
/// let pool = Pool::new(2)?;
/// let first_three: Result<Vec<u64>, _> = pool.map(|n: u64| n * n, 1..).take(3).collect();
/// assert_eq!(first_three?, [1, 4, 9]);
/// # Ok(()) }
/// ```
#[must_use = "a map does nothing until somebody asks for its answers"]
pub struct Map<'p, I: Iterator, R> {
    pool: &'p Pool,
    call: Call,
    items: Enumerate<Fuse<I>>,
    /// Of the items that are under way, the oldest first.
    promises: VecDeque<Arc<Promise>>,
    /// The number of the oldest.
    next: u64,
    returns: PhantomData<fn() -> R>,
}

impl<'p, I: Iterator, R> Map<'p, I, R> {
    pub(super) fn new(pool: &'p Pool, call: Call, items: I) -> Map<'p, I, R> {
        let items = items.fuse().enumerate();
        Map { pool, call, items, promises: VecDeque::new(), next: 0, returns: PhantomData }
    }
}

impl<I, R> Iterator for Map<'_, I, R>
where
    I: Iterator,
    I::Item: Serialize,
    R: DeserializeOwned,
{
    type Item = Result<R, Failure>;

    fn next(&mut self) -> Option<Result<R, Failure>> {
        while self.promises.len() < self.pool.most_ahead() {
            let Some((number, item)) = self.items.next() else { break };
            self.promises.push_back(self.pool.add(&self.call, number as u64, &item));
        }
        let promise = self.promises.pop_front()?;
        let number = self.next;
        self.next += 1;
        promise.read(self.call.name(), number, None)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.items.size_hint();
        let under_way = self.promises.len();
        (least.saturating_add(under_way), most.and_then(|most| most.checked_add(under_way)))
    }
}

impl<I: Iterator, R> fmt::Debug for Map<'_, I, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("call", &self.call).field("under_way", &self.promises.len()).finish_non_exhaustive()
    }
}
