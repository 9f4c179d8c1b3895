//! What can be done with values one by one, in one round trip each.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::protocol::{Held, Only, Reply, Request};
use super::snapshot::Snapshot;
use super::state::State;
use super::trouble::{absent_yet, unexpected};
use super::value::{stored, typed};
use crate::error::Result;

impl State {
    /// Sets a key, whatever was there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("servers", &vec!["a", "b"])?;
    /// assert_eq!(state.get::<Vec<String>>("servers")?, Some(vec!["a".to_owned(), "b".to_owned()]));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the value is too large, is of a shape that could not be read back (`Some(None)`), or the state is gone.
    pub fn set<T: Serialize + ?Sized>(&self, key: &str, value: &T) -> Result<()> {
        let value = stored(&self.called(key), value)?;
        match self.change(&Request::Set { key: self.key(key)?, value, only: Only::Always })? {
            Reply::Done { .. } => Ok(()),
            other => Err(unexpected(&self.called(key), other)),
        }
    }

    /// The value of a key, or `None` where it is absent.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert_eq!(state.get::<u32>("n")?, None);
    /// state.set("n", &1)?;
    /// assert_eq!(state.get("n")?, Some(1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it cannot be read as a `T` ([`is_wrong_type`](crate::Error::is_wrong_type)), or the state is gone.
    pub fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        self.held(key)?.map(|held| typed(&self.called(key), &held)).transpose()
    }

    /// The value of a key that must be there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// assert_eq!(state.require::<u32>("n")?, 1);
    /// assert!(state.require::<u32>("m").unwrap_err().to_string().starts_with("`m` is absent"));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is [absent](crate::Error::is_absent), and as [`get`](State::get).
    pub fn require<T: DeserializeOwned>(&self, key: &str) -> Result<T> {
        self.get(key)?.ok_or_else(|| absent_yet(&self.called(key)))
    }

    /// The value of a key, or another one where it is absent, which is not kept.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert_eq!(state.get_or("n", 7)?, 7);
    /// assert!(!state.contains("n")?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](State::get).
    pub fn get_or<T: DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        Ok(self.get(key)?.unwrap_or(default))
    }

    /// The value of a key, which is set to another one where it was absent. Of several that do so at once one sets it.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert_eq!(state.get_or_insert("n", 7)?, 7);
    /// assert_eq!(state.get_or_insert("n", 8)?, 7);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get`](State::get) and [`set`](State::set).
    pub fn get_or_insert<T: Serialize + DeserializeOwned>(&self, key: &str, default: T) -> Result<T> {
        let what = self.called(key);
        let request = Request::Set { key: self.key(key)?, value: stored(&what, &default)?, only: Only::IfAbsent };
        match self.change(&request)? {
            Reply::Done { .. } => Ok(default),
            Reply::NotDone { held: Some(held) } => typed(&what, &held),
            other => Err(unexpected(&what, other)),
        }
    }

    /// As [`get_or_insert`](State::get_or_insert), with a value that is made only where the key is absent. It is not kept, but
    /// dropped, where somebody else was quicker.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert_eq!(state.get_or_insert_with("id", || 7)?, 7);
    /// assert_eq!(state.get_or_insert_with("id", || -> u32 { unreachable!("it is there") })?, 7);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`get_or_insert`](State::get_or_insert).
    pub fn get_or_insert_with<T>(&self, key: &str, default: impl FnOnce() -> T) -> Result<T>
    where
        T: Serialize + DeserializeOwned,
    {
        match self.get(key)? {
            Some(value) => Ok(value),
            None => self.get_or_insert(key, default()),
        }
    }

    /// Removes a key: whether it was there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// assert_eq!((state.remove("n")?, state.remove("n")?), (true, false));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn remove(&self, key: &str) -> Result<bool> {
        match self.change(&Request::Remove { key: self.key(key)? })? {
            Reply::Value { held, .. } => Ok(held.is_some()),
            other => Err(unexpected(&self.called(key), other)),
        }
    }

    /// Removes all keys of this namespace, at one moment: how many there were. Those of namespaces in it stay.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("a", &1)?;
    /// state.set("b", &2)?;
    /// state.namespace("inner").set("c", &3)?;
    /// assert_eq!(state.clear()?, 2);
    /// assert_eq!((state.len()?, state.namespace("inner").len()?), (0, 1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn clear(&self) -> Result<usize> {
        match self.change(&Request::Clear { space: self.space()? })? {
            Reply::Number(count) => Ok(usize::try_from(count).unwrap_or(0)),
            other => Err(unexpected("`clear`", other)),
        }
    }

    /// Adds to a number, atomically: what it is now. An absent one counts as 0. The number is any integer that an `i64` can hold.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert_eq!((state.increment("n", 1)?, state.increment("n", -3)?), (1, -2));
    /// assert_eq!(state.get::<i64>("n")?, Some(-2));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it is [no such number](crate::Error::is_wrong_type), the sum would be none, or the state is gone.
    pub fn increment(&self, key: &str, by: i64) -> Result<i64> {
        match self.change(&Request::Increment { key: self.key(key)?, by })? {
            Reply::Number(sum) => Ok(sum),
            other => Err(unexpected(&self.called(key), other)),
        }
    }

    /// Whether a key is there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("nothing", &None::<u32>)?;
    /// assert_eq!((state.contains("nothing")?, state.contains("n")?), (true, false));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn contains(&self, key: &str) -> Result<bool> {
        Ok(self.held(key)?.is_some())
    }

    /// How many keys there are in this namespace.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// assert_eq!(state.len()?, 1);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn len(&self) -> Result<usize> {
        match self.ask(&Request::Len { space: self.space()? })? {
            Reply::Number(count) => Ok(usize::try_from(count).unwrap_or(0)),
            other => Err(unexpected("`len`", other)),
        }
    }

    /// Whether there are none.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert!(pkit_test::State::new()?.is_empty()?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn is_empty(&self) -> Result<bool> {
        Ok(self.len()? == 0)
    }

    /// The keys of this namespace, in alphabetical order.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("b", &1)?;
    /// state.set("a", &"text")?;
    /// assert_eq!(state.keys()?, ["a", "b"]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn keys(&self) -> Result<Vec<String>> {
        match self.ask(&Request::Keys { space: self.space()?, since: None })? {
            Reply::Names { names, .. } => Ok(names),
            other => Err(unexpected("`keys`", other)),
        }
    }

    /// All keys of this namespace with their values, at one moment, in alphabetical order.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("b", &2)?;
    /// state.set("a", &1)?;
    /// let all: Vec<(String, u32)> = state.iter()?.collect();
    /// assert_eq!(all, [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When one of them is no `T`, or the state is gone.
    pub fn iter<T: DeserializeOwned>(&self) -> Result<std::vec::IntoIter<(String, T)>> {
        self.snapshot()?.iter()
    }

    /// All of this namespace at one moment, to look at.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// let before = state.snapshot()?;
    /// state.set("n", &2)?;
    /// assert_eq!(before.get("n")?, Some(1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub fn snapshot(&self) -> Result<Snapshot> {
        match self.ask(&Request::Snapshot { space: self.space()?, since: None })? {
            Reply::Entries { entries, .. } => Ok(Snapshot::of(entries)),
            other => Err(unexpected("`snapshot`", other)),
        }
    }

    /// # Errors
    ///
    /// When the state is gone.
    pub(super) fn held(&self, key: &str) -> Result<Option<Held>> {
        match self.ask(&Request::Get { key: self.key(key)?, since: None })? {
            Reply::Value { held, .. } => Ok(held),
            other => Err(unexpected(&self.called(key), other)),
        }
    }
}
