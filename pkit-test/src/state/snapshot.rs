//! All of a namespace at one moment.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::DeserializeOwned;

use super::protocol::Held;
use super::state::called;
use super::trouble::absent;
use super::value::{shown_value, typed};
use crate::error::Result;

/// What [`State::snapshot`](crate::State::snapshot) gives: all keys and values of a namespace at one moment.
///
/// It is a value of this process: it stays as it is, also when the state is gone. `Debug` shows it as JSON.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let state = pkit_test::State::new()?;
/// state.set("name", &"db")?;
/// state.set("ports", &[5432, 5433])?;
/// let snapshot = state.snapshot()?;
/// drop(state);
/// assert_eq!(format!("{snapshot:?}"), r#"{"name": "db", "ports": [5432,5433]}"#);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Snapshot {
    entries: BTreeMap<String, Held>,
}

impl Snapshot {
    pub(super) fn of(entries: Vec<(String, Held)>) -> Snapshot {
        Snapshot { entries: entries.into_iter().collect() }
    }

    /// The value of a key, or `None` where it was absent.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// let snapshot = state.snapshot()?;
    /// assert_eq!((snapshot.get("n")?, snapshot.get::<u32>("m")?), (Some(1), None));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is no `T`.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.entries.get(key).map(|held| typed(&called("", key), held)).transpose()
    }

    /// The value of a key that must have been there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let snapshot = pkit_test::State::new()?.snapshot()?;
    /// assert!(snapshot.require::<u32>("n").unwrap_err().is_absent());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it was absent, or is no `T`.
    pub fn require<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        self.get(key)?.ok_or_else(|| absent(&called("", key)))
    }

    /// Whether a key was there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// assert!(state.snapshot()?.contains("n"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn contains(&self, key: &str) -> bool {
        self.entries.contains_key(key)
    }

    /// The keys, in alphabetical order.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("b", &1)?;
    /// state.set("a", &2)?;
    /// assert!(state.snapshot()?.keys().eq(["a", "b"]));
    /// # Ok(()) }
    /// ```
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.entries.keys().map(String::as_str)
    }

    /// All of it, in alphabetical order, where all values are of one type.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("a", &1)?;
    /// state.set("b", &2)?;
    /// let sum: u32 = state.snapshot()?.iter::<u32>()?.map(|(_, n)| n).sum();
    /// assert_eq!(sum, 3);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When one of them is no `T`.
    pub fn iter<T: DeserializeOwned>(&self) -> Result<std::vec::IntoIter<(String, T)>> {
        let entries = self.entries.iter().map(|(key, held)| Ok((key.clone(), typed(&called("", key), held)?)));
        entries.collect::<Result<Vec<_>>>().map(IntoIterator::into_iter)
    }

    /// How many keys there were.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(pkit_test::State::new()?.snapshot()?.len(), 0);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there were none.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert!(pkit_test::State::new()?.snapshot()?.is_empty());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.entries.iter().map(|(key, held)| (key, Plain(shown_value(&held.value))))).finish()
    }
}

/// Shown without the quotes that a `String` would have.
struct Plain(String);

impl fmt::Debug for Plain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
