//! Changes, one after the other, for whoever wants to see all of them.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::de::DeserializeOwned;

use super::feed::{Feed, Watched};
use super::party::Party;
use super::protocol;
use super::state::{State, called};
use super::trouble::{absent, meaningless};
use super::value::{shown_value, typed_value};
use crate::config::deadline_in;
use crate::error::{Error, Result};

/// A change of one key.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let state = pkit_test::State::new()?;
/// let mut changes = state.watch(&["n"])?;
/// state.set("n", &1)?;
/// state.remove("n")?;
/// let set = changes.next().unwrap()?;
/// assert_eq!((set.key(), set.value()?), ("n", Some(1)));
/// assert!(changes.next().unwrap()?.is_removed());
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Change {
    change: protocol::Change,
    by: Party,
}

/// The changes of some keys, from [`State::watch`]: an iterator that waits for the next one. It never ends by itself; when the state is
/// gone there is an error, and nothing after it.
///
/// All that has changed since it was made comes, in the order in which it happened, which is the same for everybody. What nobody
/// has asked for yet is kept by the server, up to 65 536 changes and 16 MiB of values: beyond that the next one is an
/// [error](Error::is_overflow) that says how many were missed, and it goes on with what comes then.
///
/// ```
/// use std::thread;
/// # fn main() -> pkit_test::Result<()> {
/// let state = pkit_test::State::new()?;
/// let changes = state.watch(&["n"])?;
/// thread::scope(|scope| {
///     scope.spawn(|| (0..3).for_each(|n| state.set("n", &n).unwrap()));
///     let seen: Vec<u32> = changes.take(3).map(|change| change?.require()).collect::<Result<_, _>>()?;
///     assert_eq!(seen, [0, 1, 2]);
///     Ok(())
/// })
/// # }
/// ```
pub struct Watch {
    feed: Feed,
    /// Keeps the server up where this process has started it.
    state: State,
    keys: Vec<Arc<str>>,
    ready: VecDeque<Result<protocol::Change>>,
    is_over: bool,
}

impl State {
    /// The changes of these keys from now on: nothing is missed that happens after it has returned.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let mut changes = state.watch(&["a", "b"])?;
    /// state.set("b", &1)?;
    /// state.set("c", &2)?;
    /// state.set("a", &3)?;
    /// let keys = [changes.next().unwrap()?, changes.next().unwrap()?].map(|change| change.key().to_owned());
    /// assert_eq!(keys, ["b", "a"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When there are no keys, or the state is gone.
    pub fn watch(&self, keys: &[impl AsRef<str>]) -> Result<Watch> {
        if keys.is_empty() {
            return Err(meaningless("a watch of no keys would see nothing: `watch_all` sees all".to_owned()));
        }
        self.watched(keys.iter().map(|key| key.as_ref().into()).collect())
    }

    /// The changes of all keys of this namespace from now on, also of those that are not there yet.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let mut changes = state.watch_all()?;
    /// state.set("new", &1)?;
    /// assert_eq!(changes.next().unwrap()?.key(), "new");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn watch_all(&self) -> Result<Watch> {
        self.watched(Vec::new())
    }

    fn watched(&self, keys: Vec<Arc<str>>) -> Result<Watch> {
        let watched = Watched { space: self.space()?, keys: keys.clone(), is_live: false, with_first: false };
        let (feed, _) = Feed::begin(self, "the watch".to_owned(), watched)?;
        Ok(Watch { feed, state: self.clone(), keys, ready: VecDeque::new(), is_over: false })
    }
}

impl Watch {
    /// Only what is so now: of several changes of a key that nobody has asked for yet the last one. So there is nothing that could
    /// become too much. What was changed since the watch was made is not missed.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let mut changes = state.watch(&["n"])?.live();
    /// for n in 0..100 {
    ///     state.set("n", &n)?;
    /// }
    /// assert_eq!(changes.next().unwrap()?.require::<u32>()?, 99);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn live(mut self) -> Watch {
        let before = self.feed_on();
        self.ready.extend(before.err().map(Err));
        self
    }

    /// The next change, if it comes within that time. It is no error when the time passes, and no setting changes it.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let mut changes = state.watch(&["n"])?;
    /// assert!(changes.next_timeout(Duration::from_millis(10))?.is_none());
    /// state.set("n", &1)?;
    /// assert!(changes.next_timeout(Duration::ZERO)?.is_some());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When changes were missed, after which it goes on, or the state is gone.
    pub fn next_timeout(&mut self, timeout: Duration) -> Result<Option<Change>> {
        self.next_until(Some(deadline_in(timeout)))
    }

    fn next_until(&mut self, deadline: Option<Instant>) -> Result<Option<Change>> {
        if self.ready.is_empty() {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            match self.feed.next(left) {
                Ok(changes) => self.ready.extend(changes.unwrap_or_default().into_iter().map(Ok)),
                Err(error) => self.ready.push_back(Err(error)),
            }
        }
        let next = self.ready.pop_front().transpose();
        self.is_over |= next.as_ref().is_err_and(|error| !error.is_overflow());
        Ok(next?.map(Change::of))
    }

    /// Goes on with another feed, which keeps the last changes only. What this one has is read to the very moment at which that one begins.
    fn feed_on(&mut self) -> Result<()> {
        let keys = self.keys.clone();
        let watched = Watched { space: self.state.space()?, keys, is_live: true, with_first: false };
        let (live, began) = Feed::begin(&self.state, "the watch".to_owned(), watched)?;
        let mut is_read = false;
        while !is_read {
            match self.feed.next(Some(Duration::ZERO)) {
                Ok(None) => is_read = true,
                Ok(Some(changes)) => {
                    is_read = changes.last().is_some_and(|change| change.version > began);
                    self.ready.extend(changes.into_iter().filter(|change| change.version <= began).map(Ok));
                }
                Err(missed) if missed.is_overflow() => self.ready.push_back(Err(missed)),
                Err(error) => return Err(error),
            }
        }
        keep_last(&mut self.ready);
        self.feed = live;
        Ok(())
    }
}

/// Of each key.
fn keep_last(ready: &mut VecDeque<Result<protocol::Change>>) {
    let mut seen = BTreeSet::new();
    let kept: Vec<_> = ready
        .drain(..)
        .rev()
        .filter(|next| next.as_ref().map_or(true, |change| seen.insert(change.key.clone())))
        .collect();
    ready.extend(kept.into_iter().rev());
}

impl Iterator for Watch {
    type Item = Result<Change>;

    fn next(&mut self) -> Option<Result<Change>> {
        if self.is_over {
            return None;
        }
        loop {
            if let Some(next) = self.next_until(None).transpose() {
                return Some(next);
            }
        }
    }
}

impl Change {
    pub(super) fn of(change: protocol::Change) -> Change {
        Change { by: Party::of(&change.by), change }
    }

    /// The key that was changed, as it is called in its namespace.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?.namespace("inner");
    /// let mut changes = state.watch_all()?;
    /// state.set("n", &1)?;
    /// assert_eq!(changes.next().unwrap()?.key(), "n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn key(&self) -> &str {
        &self.change.key.name
    }

    /// What it was set to, or `None` where it was removed.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let mut changes = state.watch_all()?;
    /// state.set("n", &1)?;
    /// assert_eq!(changes.next().unwrap()?.value::<u32>()?, Some(1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is no `T`.
    pub fn value<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let read = |value| typed_value(&self.called(), value).map_err(|error: Error| self.with_by(error));
        self.change.value.as_ref().map(read).transpose()
    }

    /// What it was set to, where it was not removed.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let mut changes = state.watch_all()?;
    /// state.set("n", &1)?;
    /// state.remove("n")?;
    /// assert_eq!(changes.next().unwrap()?.require::<u32>()?, 1);
    /// assert!(changes.next().unwrap()?.require::<u32>().unwrap_err().is_absent());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it was removed, or is no `T`.
    pub fn require<T: DeserializeOwned>(&self) -> Result<T> {
        self.value()?.ok_or_else(|| self.with_by(absent(&self.called())))
    }

    /// Whether it was removed.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// let mut changes = state.watch_all()?;
    /// state.clear()?;
    /// assert!(changes.next().unwrap()?.is_removed());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_removed(&self) -> bool {
        self.change.value.is_none()
    }

    /// Who has changed it.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let mut changes = state.watch_all()?;
    /// state.set("n", &1)?;
    /// assert_eq!(changes.next().unwrap()?.by().pid(), Some(std::process::id()));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn by(&self) -> &Party {
        &self.by
    }

    fn called(&self) -> String {
        called(&self.change.key.space, self.key())
    }

    fn with_by(&self, error: Error) -> Error {
        let label = if self.is_removed() { "removed" } else { "set by" };
        error.fact(label, self.by.to_string())
    }
}

impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.change.value {
            Some(value) => write!(f, "`{}` = {} by {}", self.key(), shown_value(value), self.by),
            None => write!(f, "`{}` removed by {}", self.key(), self.by),
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("keys", &self.keys).finish_non_exhaustive()
    }
}
