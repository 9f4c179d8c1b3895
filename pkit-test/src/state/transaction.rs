//! Several keys at once: what the closure of a transaction reads and writes with.
//!
//! What it writes is kept here until the end, so that it reads it back, and nobody else sees it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::Key;
use super::run::{Run, Seen};
use super::state::State;
use super::trouble::{absent, out_of_range};
use super::value::{stored, typed, typed_value};
use crate::error::Result;

/// What the closure of [`State::transaction`] reads and writes with. It sees one moment of the state, and what it has written itself;
/// others see nothing of that before the end, and then all of it.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let state = pkit_test::State::new()?;
/// state.set("from", &10)?;
/// state.set("to", &0)?;
/// state.transaction(|tx| {
///     let (from, to) = (tx.require::<u32>("from")?, tx.require::<u32>("to")?);
///     tx.set("from", &from.checked_sub(7).ok_or("not enough")?)?;
///     tx.set("to", &(to + 7))?;
///     Ok(())
/// })?;
/// assert_eq!((state.get("from")?, state.get("to")?), (Some(3), Some(7)));
/// # Ok(()) }
/// ```
pub struct Transaction<'t> {
    run: &'t mut Run,
    /// The namespace of its keys.
    state: State,
}

impl<'t> Transaction<'t> {
    pub(super) fn new(run: &'t mut Run, state: State) -> Transaction<'t> {
        Transaction { run, state }
    }

    /// The value of a key, or `None` where it is absent.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let n = state.transaction(|tx| {
    ///     tx.set("n", &1)?;
    ///     Ok(tx.get::<u32>("n")?)
    /// })?;
    /// assert_eq!(n, Some(1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is no `T`, when the state is gone, or when what the transaction sees is no longer so: then it is run again.
    pub fn get<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        let what = self.state.called(key);
        match self.run.read(&self.state.key(key)?)? {
            Seen::Nothing => Ok(None),
            Seen::Written(value) => typed_value(&what, &value).map(Some),
            Seen::Kept(held) => typed(&what, &held).map(Some),
        }
    }

    /// The value of a key that must be there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let error = state.transaction(|tx| Ok(tx.require::<u32>("n")?)).unwrap_err();
    /// assert!(error.is_absent());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is absent, and as [`get`](Transaction::get).
    pub fn require<T: DeserializeOwned>(&mut self, key: &str) -> Result<T> {
        self.get(key)?.ok_or_else(|| absent(&self.state.called(key)))
    }

    /// The value of a key, or another one where it is absent, which is not kept.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert_eq!(state.transaction(|tx| Ok(tx.get_or("n", 7)?))?, 7);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Transaction::get).
    pub fn get_or<T: DeserializeOwned>(&mut self, key: &str, default: T) -> Result<T> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// Whether a key is there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert!(!state.transaction(|tx| Ok(tx.contains("n")?))?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Transaction::get), except that it may be of any type.
    pub fn contains(&mut self, key: &str) -> Result<bool> {
        Ok(!matches!(self.run.read(&self.state.key(key)?)?, Seen::Nothing))
    }

    /// Sets a key, whatever was there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.transaction(|tx| {
    ///     tx.set("a", &1)?;
    ///     tx.set("b", &2)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(state.keys()?, ["a", "b"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the value is too large, or is of a shape that could not be read back (`Some(None)`).
    pub fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Result<()> {
        let value = stored(&self.state.called(key), value)?;
        self.run.write(self.state.key(key)?, Some(value));
        Ok(())
    }

    /// Removes a key: whether it was there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// let removed = state.transaction(|tx| Ok((tx.remove("n")?, tx.remove("n")?)))?;
    /// assert_eq!(removed, (true, false));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`contains`](Transaction::contains).
    pub fn remove(&mut self, key: &str) -> Result<bool> {
        let was_there = self.contains(key)?;
        self.run.write(self.state.key(key)?, None);
        Ok(was_there)
    }

    /// Removes a key: what was there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("old", &1)?;
    /// state.transaction(|tx| {
    ///     let value: u32 = tx.take("old")?.ok_or("nothing to rename")?;
    ///     tx.set("new", &value)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(state.keys()?, ["new"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](Transaction::get).
    pub fn take<T: DeserializeOwned>(&mut self, key: &str) -> Result<Option<T>> {
        let value = self.get(key)?;
        self.run.write(self.state.key(key)?, None);
        Ok(value)
    }

    /// Adds to a number: what it is now. An absent one counts as 0.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let both = state.transaction(|tx| Ok((tx.increment("a", 1)?, tx.increment("b", 2)?)))?;
    /// assert_eq!(both, (1, 2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is no `i64`, or the sum would be none, and as [`get`](Transaction::get).
    pub fn increment(&mut self, key: &str, by: i64) -> Result<i64> {
        let held = self.get_or(key, 0_i64)?;
        let sum = held.checked_add(by).ok_or_else(|| out_of_range(&self.state.called(key), held, by))?;
        self.set(key, &sum)?;
        Ok(sum)
    }

    /// The keys of the namespace, in alphabetical order. When one comes or goes before the end, the transaction is run again.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("b", &1)?;
    /// let keys = state.transaction(|tx| {
    ///     tx.set("a", &1)?;
    ///     tx.remove("b")?;
    ///     Ok(tx.keys()?)
    /// })?;
    /// assert_eq!(keys, ["a"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone, or when what the transaction sees is no longer so: then it is run again.
    pub fn keys(&mut self) -> Result<Vec<String>> {
        Ok(self.names()?.into_iter().collect())
    }

    /// How many keys there are in the namespace.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let len = state.transaction(|tx| {
    ///     tx.set("a", &1)?;
    ///     Ok(tx.len()?)
    /// })?;
    /// assert_eq!(len, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`keys`](Transaction::keys).
    pub fn len(&mut self) -> Result<usize> {
        Ok(self.names()?.len())
    }

    /// Whether there are none.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert!(state.transaction(|tx| Ok(tx.is_empty()?))?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`keys`](Transaction::keys).
    pub fn is_empty(&mut self) -> Result<bool> {
        Ok(self.names()?.is_empty())
    }

    /// A namespace in this one, in the same transaction.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.transaction(|tx| {
    ///     tx.namespace("left").set("n", &1)?;
    ///     tx.namespace("right").set("n", &2)?;
    ///     Ok(())
    /// })?;
    /// assert_eq!(state.namespace("right").get("n")?, Some(2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// A name that is empty, or has a `/` or a NUL in it, is refused by all that is done with the namespace.
    #[must_use]
    pub fn namespace(&mut self, name: &str) -> Transaction<'_> {
        Transaction { run: self.run, state: self.state.namespace(name) }
    }

    fn names(&mut self) -> Result<BTreeSet<String>> {
        let space: Arc<str> = self.state.space()?;
        let mut names = self.run.list(&space)?;
        for (Key { name, .. }, value) in self.run.written(&space) {
            match value {
                Some(_) => names.insert(name.to_string()),
                None => names.remove(&**name),
            };
        }
        Ok(names)
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction").field("state", &self.state).finish_non_exhaustive()
    }
}
