//! Changes of one key that depend on what is there.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::attempt::Step;
use super::outcome::Outcome;
use super::state::State;
use super::trouble::{absent_for_update, rolled_back};
use super::value::{stored, typed};
use crate::error::Result;

impl State {
    /// Changes a value atomically: nobody sees anything in between, and nothing that others write is lost.
    ///
    /// The closure runs in this process, and may run several times: whenever somebody else was quicker it gets what is there
    /// then. So it should do nothing but change the value. It may return a plain value, which is returned, or a `Result`: an `Err` leaves
    /// the value as it was, and a panic does as well and passes through. See [`Outcome`].
    ///
    /// Where nobody else changes the value in between it is one round trip. It is tried 4 times so; then it asks for its *turn*, in
    /// which others wait with their changes, for a second at most. Turns are given in the order of asking, so that it is done however busy
    /// the others are. The closure may use the state: what it changes there is changed by itself.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("names", &vec!["a"])?;
    /// let count = state.update("names", |names: &mut Vec<String>| {
    ///     names.push("b".to_owned());
    ///     names.len()
    /// })?;
    /// assert_eq!(count, 2);
    ///
    /// let error = state.update("names", |names: &mut Vec<String>| { names.clear(); Err::<(), _>("no") }).unwrap_err();
    /// assert!(error.is_rolled_back());
    /// assert_eq!(state.get::<Vec<String>>("names")?.unwrap().len(), 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the key is [absent](crate::Error::is_absent) or its value of [another type](crate::Error::is_wrong_type), when the closure
    /// [returns an error](crate::Error::is_rolled_back), when it took longer than its turn each time that it had one
    /// ([`is_contended`](crate::Error::is_contended)), or when the state is gone.
    pub fn update<T, R>(&self, key: &str, mut change: impl FnMut(&mut T) -> R) -> Result<R::Value>
    where
        T: Serialize + DeserializeOwned,
        R: Outcome,
    {
        let what = self.called(key);
        self.modify(key, |held| {
            changed(&what, typed(&what, held.ok_or_else(|| absent_for_update(&what))?)?, &mut change)
        })
    }

    /// As [`update`](State::update), with a value to begin with where the key is absent.
    ///
    /// ```
    /// use std::collections::BTreeMap;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// for word in ["a", "b", "a"] {
    ///     state.update_or("words", BTreeMap::new(), |words: &mut BTreeMap<String, u32>| {
    ///         *words.entry(word.to_owned()).or_default() += 1;
    ///     })?;
    /// }
    /// assert_eq!(state.require::<BTreeMap<String, u32>>("words")?["a"], 2);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`update`](State::update), except that absent is fine.
    pub fn update_or<T, R>(&self, key: &str, default: T, mut change: impl FnMut(&mut T) -> R) -> Result<R::Value>
    where
        T: Serialize + DeserializeOwned + Clone,
        R: Outcome,
    {
        let what = self.called(key);
        self.modify(key, |held| {
            let value = held.map_or_else(|| Ok(default.clone()), |held| typed(&what, held))?;
            changed(&what, value, &mut change)
        })
    }

    /// Sets a key: what was there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert_eq!(state.replace("n", &1)?, None);
    /// assert_eq!(state.replace("n", &2)?, Some(1));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When what was there cannot be read as a `T`: then it stays. And as [`set`](State::set) and [`update`](State::update).
    pub fn replace<T: Serialize + DeserializeOwned>(&self, key: &str, value: &T) -> Result<Option<T>> {
        let what = self.called(key);
        let value = stored(&what, value)?;
        self.modify(key, |held| {
            let before = held.map(|held| typed(&what, held)).transpose()?;
            Ok(Step::Set(value.clone(), before))
        })
    }

    /// Removes a key: what was there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &1)?;
    /// assert_eq!((state.take("n")?, state.take::<u32>("n")?), (Some(1), None));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When what was there cannot be read as a `T`: then it stays. And as [`update`](State::update).
    pub fn take<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>> {
        let what = self.called(key);
        self.modify(key, |held| {
            Ok(match held {
                Some(held) => Step::Remove(Some(typed(&what, held)?)),
                None => Step::Leave(None),
            })
        })
    }

    /// Sets or removes a key if it is as expected, where `None` is absent: whether it was.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert!(state.compare_and_set("leader", None, Some(&1))?);
    /// assert!(!state.compare_and_set("leader", None, Some(&2))?);
    /// assert!(state.compare_and_set("leader", Some(&1), None)?);
    /// assert!(!state.contains("leader")?);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When what is there cannot be read as a `T`, and as [`set`](State::set) and [`update`](State::update).
    pub fn compare_and_set<T>(&self, key: &str, expected: Option<&T>, new: Option<&T>) -> Result<bool>
    where
        T: Serialize + DeserializeOwned + PartialEq,
    {
        let what = self.called(key);
        let new = new.map(|new| stored(&what, new)).transpose()?;
        self.modify(key, |held| {
            let now: Option<T> = held.map(|held| typed(&what, held)).transpose()?;
            Ok(match &new {
                _ if now.as_ref() != expected => Step::Leave(false),
                Some(new) => Step::Set(new.clone(), true),
                None if now.is_some() => Step::Remove(true),
                None => Step::Leave(true),
            })
        })
    }
}

fn changed<T, R>(what: &str, mut value: T, change: &mut impl FnMut(&mut T) -> R) -> Result<Step<R::Value>>
where
    T: Serialize,
    R: Outcome,
{
    let result = change(&mut value).settled().map_err(|why| rolled_back(&format!("{what} was not changed"), why))?;
    Ok(Step::Set(stored(what, &value)?, result))
}
