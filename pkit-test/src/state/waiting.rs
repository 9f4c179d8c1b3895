//! Waiting for a value.
//!
//! Each wait is a watch that begins with what is there. So there is no moment between a look and the wait at which something could be
//! missed, and nobody looks twice at the same thing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::feed::{Feed, Watched};
use super::packed::is_same;
use super::party::Party;
use super::protocol::{self, Held, Value};
use super::state::State;
use super::trouble::{late, meaningless};
use super::value::{shown_value, stored, typed, with_value};
use super::watch::Change;
use crate::config::{deadline_in, scaled};
use crate::error::{Error, Result};

/// A wait for one key.
struct Wait<'s> {
    state: &'s State,
    key: &'s str,
    timeout: Duration,
    /// What was seen last.
    last: Option<Held>,
    /// Who has removed it, if it is not there now and was.
    removed: Option<protocol::Who>,
}

impl State {
    /// Waits until a value is as it should be: the value, then.
    ///
    /// The closure is asked about what is there first, and then about every value that the key gets, in their order and one by one,
    /// also if it has another one by then. While the key is absent it is not asked. Only if more than 65 536 changes or 16 MiB of them come
    /// while it looks at one, it goes on with what is there then.
    ///
    /// `PKIT_TIMEOUT_SCALE` multiplies the timeout; with none at all it is asked once.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, function};
    ///
    /// fn count(state: State) {
    ///     (1..=100).for_each(|n| state.set("n", &n).unwrap());
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let _counter = function(count, state.clone()).start()?;
    /// assert_eq!(state.wait_until("n", |n: &u32| *n >= 100, Duration::from_secs(10))?, 100);
    ///
    /// let error = state.wait_until("n", |n: &u32| *n > 100, Duration::from_millis(200)).unwrap_err();
    /// assert!(error.is_timeout());
    /// assert!(error.to_string().starts_with("`n` was not as it should be within 200 ms\n  value:  100\n  set by: `count` (pid "));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over: with the value that was seen last, and who has set it. When a value is
    /// [of another type](Error::is_wrong_type), or the state is gone.
    pub fn wait_until<T: DeserializeOwned>(
        &self,
        key: &str,
        mut is_wanted: impl FnMut(&T) -> bool,
        timeout: Duration,
    ) -> Result<T> {
        let what = self.called(key);
        let mut wait = Wait::new(self, key, timeout);
        let found = wait.find(&mut |held| {
            let value = held.map(|held| typed(&what, held)).transpose()?;
            Ok(value.filter(&mut is_wanted))
        });
        found?.ok_or_else(|| wait.missed(&format!("{what} was not as it should be"), None))
    }

    /// Waits until a value is equal to another one; also if it was so only for a moment.
    ///
    /// Equal is what is written alike, whoever has written it: the order of a map does not count, nor does the width of a number; that
    /// of a list does, and so does that of a `HashSet`, which is written as one.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("phase", "starting")?;
    /// let error = state.wait_equal("phase", "ready", Duration::from_millis(10)).unwrap_err();
    /// assert!(error.to_string().contains("\n  wanted: \"ready\"\n  value:  \"starting\"\n"), "{error}");
    /// state.set("phase", "ready")?;
    /// state.wait_equal("phase", "ready", Duration::ZERO)?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over: with the value that was seen last, and who has set it. When the state is gone.
    pub fn wait_equal<T: Serialize + ?Sized>(&self, key: &str, value: &T, timeout: Duration) -> Result<()> {
        let what = self.called(key);
        let wanted = stored(&what, value)?;
        let is_equal = |held: &&Held| is_same(&held.value.bytes, &wanted.bytes);
        let mut wait = Wait::new(self, key, timeout);
        let found = wait.find(&mut |held| Ok(held.filter(is_equal).map(drop)));
        found?.ok_or_else(|| wait.missed(&format!("{what} was not equal"), Some(&wanted)))
    }

    /// Waits until a key is there: its value.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, function};
    ///
    /// fn announce(state: State) {
    ///     state.set("port", &4711_u16).unwrap();
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let _server = function(announce, state.clone()).start()?;
    /// assert_eq!(state.wait_present::<u16>("port", Duration::from_secs(10))?, 4711);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait_until`](State::wait_until).
    pub fn wait_present<T: DeserializeOwned>(&self, key: &str, timeout: Duration) -> Result<T> {
        let what = self.called(key);
        let mut wait = Wait::new(self, key, timeout);
        let found = wait.find(&mut |held| held.map(|held| typed(&what, held)).transpose());
        found?.ok_or_else(|| wait.missed(&format!("{what} was not set"), None))
    }

    /// Waits until a key is not there.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.wait_absent("lock", Duration::ZERO)?;
    /// state.set("lock", &1)?;
    /// assert!(state.wait_absent("lock", Duration::from_millis(10)).unwrap_err().is_timeout());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over: with the value that is there, and who has set it. When the state is gone.
    pub fn wait_absent(&self, key: &str, timeout: Duration) -> Result<()> {
        let mut wait = Wait::new(self, key, timeout);
        let found = wait.find(&mut |held| Ok(held.is_none().then_some(())));
        found?.ok_or_else(|| wait.missed(&format!("{} was not removed", self.called(key)), None))
    }

    /// Waits until a number is so large, where absent is 0.
    ///
    /// # Errors
    ///
    /// As [`wait_until`](State::wait_until), with what it says that has not happened.
    pub(super) fn wait_number(&self, key: &str, least: i64, timeout: Duration, failed: &str) -> Result<i64> {
        let what = self.called(key);
        let mut wait = Wait::new(self, key, timeout);
        let found = wait.find(&mut |held| {
            let number: i64 = held.map_or(Ok(0), |held| typed(&what, held))?;
            Ok((number >= least).then_some(number))
        });
        found?.ok_or_else(|| wait.missed(failed, None))
    }

    /// Waits until one of these keys is changed, after this was called: the change. To miss nothing of what one causes oneself,
    /// [`watch`](State::watch) first.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, function};
    ///
    /// fn tick(state: State) {
    ///     while state.increment("tick", 1).is_ok() {}
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let _clock = function(tick, state.clone()).start()?;
    /// let change = state.wait_change(&["tick", "tock"], Duration::from_secs(10))?;
    /// assert_eq!((change.key(), change.by().name()), ("tick", "tick"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over, when there are no keys, or the state is gone.
    pub fn wait_change(&self, keys: &[impl AsRef<str>], timeout: Duration) -> Result<Change> {
        let timeout = scaled(timeout);
        let names: Vec<Arc<str>> = keys.iter().map(|key| key.as_ref().into()).collect();
        if names.is_empty() {
            return Err(meaningless("a wait for a change of no keys would never end".to_owned()));
        }
        let what = names.iter().map(|key| self.called(key)).collect::<Vec<_>>().join(", ");
        let watched = Watched { space: self.space()?, keys: names, is_live: false, with_first: false };
        let (mut feed, _) = Feed::begin(self, what.clone(), watched)?;
        let change = feed.next(Some(timeout))?.and_then(|changes| changes.into_iter().next());
        change.map(Change::of).ok_or_else(|| late(&format!("{what}: nothing was changed"), timeout, Vec::new()))
    }
}

impl<'s> Wait<'s> {
    fn new(state: &'s State, key: &'s str, timeout: Duration) -> Wait<'s> {
        Wait { state, key, timeout: scaled(timeout), last: None, removed: None }
    }

    /// What is found in what is there first, or in one of the values that come; `None` is asked about where there is none. Nothing is
    /// found when the time is over.
    ///
    /// # Errors
    ///
    /// Those of `find`, and when the state is gone.
    fn find<R>(&mut self, find: &mut impl FnMut(Option<&Held>) -> Result<Option<R>>) -> Result<Option<R>> {
        let deadline = deadline_in(self.timeout);
        let (mut feed, _) = Feed::begin(self.state, self.state.called(self.key), self.watched()?)?;
        let mut changes = feed.next(Some(Duration::ZERO))?.unwrap_or_default();
        if !changes.first().is_some_and(|change| change.is_first) {
            if let Some(found) = find(None)? {
                return Ok(Some(found));
            }
        }
        loop {
            for change in changes {
                self.see(change);
                if let Some(found) = find(self.last.as_ref())? {
                    return Ok(Some(found));
                }
            }
            let left = deadline.saturating_duration_since(Instant::now());
            changes = match feed.next(Some(left)) {
                Ok(Some(changes)) => changes,
                Ok(None) => return Ok(None),
                Err(missed) if missed.is_overflow() => {
                    feed.begin_again(self.watched()?)?;
                    Vec::new()
                }
                Err(error) => return Err(error),
            };
        }
    }

    fn watched(&self) -> Result<Watched> {
        Ok(Watched { space: self.state.space()?, keys: vec![self.key.into()], is_live: false, with_first: true })
    }

    fn see(&mut self, change: protocol::Change) {
        let protocol::Change { value, version, by, .. } = change;
        self.removed = value.is_none().then(|| by.clone());
        self.last = value.map(|value| Held { value, version, by });
    }

    /// The time is over, and this has not happened.
    fn missed(&self, what: &str, wanted: Option<&Value>) -> Error {
        let error = late(what, self.timeout, Vec::new()).fact("wanted", wanted.map(shown_value).unwrap_or_default());
        let error = with_value(error, self.last.as_ref());
        let removed = self.removed.as_ref().map(|by| format!("by {}", Party::of(by)));
        error.fact("removed", removed.unwrap_or_default())
    }
}
