//! The handle of a state: which server, and which namespace in it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::client::Client;
use super::life::Owner;
use super::named::plain;
use super::protocol::{Key, Reply, Request};
use super::trouble::meaningless;
use crate::config::scaled;
use crate::error::Result;
use crate::limits::TURN_PATIENCE;

/// A state that several processes share: values under names, which they change atomically, wait for, and meet at.
///
/// [`State::new`] starts a server for it, a process of ours that dies as all others do; the last clone in the process that made it
/// ends it. It is a value of serde, so that it can be passed to functions; a program finds it by an environment variable.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::{State, function};
///
/// fn work(state: State) {
///     for _ in 0..10 {
///         state.update("done", |done: &mut u32| *done += 1).unwrap();
///     }
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let state = State::new()?;
/// state.set("done", &0)?;
/// let _workers = [function(work, state.clone()).start()?, function(work, state.clone()).start()?];
/// let done = state.wait_until("done", |done: &u32| *done >= 20, Duration::from_secs(10))?;
/// assert_eq!(done, 20);
/// # Ok(()) }
/// ```
///
/// A value is of any type that serde can write and read, and is kept as it was written. What can be read as a type is of that type:
/// a `u8` can be read as an `i64`. Reads and changes of one key cost the same however many others there are, and whatever
/// is in them.
///
/// All methods take `&self`, from any thread. When the server is gone each of them is an error, also those that wait.
#[derive(Clone)]
pub struct State {
    pub(super) client: Arc<Client>,
    /// Which namespace it stands for: names with a slash between them; nothing for the state itself.
    pub(super) space: Arc<str>,
    /// In the process that has started the server.
    pub(super) owner: Option<Arc<Owner>>,
}

/// A namespace that could not be one is this, and what it would have been called: every use of it is an error.
const NO_NAMESPACE: char = '\0';

/// The end of the name of a namespace that is for counters.
const COUNTERS: &str = "/";

impl State {
    /// Another set of names in the same state: keys and meeting points in it have nothing to do with those of the same names
    /// elsewhere. Namespaces can be in namespaces. One costs nothing, and is there without being made.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let (left, right) = (state.namespace("left"), state.namespace("right"));
    /// left.set("n", &1)?;
    /// assert_eq!((left.get("n")?, right.get::<u32>("n")?, state.get::<u32>("n")?), (Some(1), None, None));
    /// assert_eq!(state.namespace("left").namespace("inner").len()?, 0);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// A name that is empty, or has a `/` or a NUL in it, is refused by all that is done with the namespace.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let error = pkit_test::State::new()?.namespace("a/b").set("n", &1).unwrap_err();
    /// assert_eq!(error.to_string(), "`a/b` is no name for a namespace: it must not be empty, nor have `/` or NUL in it");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn namespace(&self, name: &str) -> State {
        let space = match name {
            _ if self.space.contains(NO_NAMESPACE) => self.space.to_string(),
            _ if name.is_empty() || name.contains(['/', NO_NAMESPACE]) => format!("{NO_NAMESPACE}{name}"),
            _ if self.space.is_empty() => name.to_owned(),
            _ => format!("{}/{name}", self.space),
        };
        State { space: space.into(), ..self.clone() }
    }

    /// # Errors
    ///
    /// Where it is no namespace.
    pub(super) fn space(&self) -> Result<Arc<str>> {
        match self.space.split_once(NO_NAMESPACE) {
            None => Ok(Arc::clone(&self.space)),
            Some((_, name)) => {
                let name = name.replace(NO_NAMESPACE, "\\0");
                Err(meaningless(format!(
                    "`{name}` is no name for a namespace: it must not be empty, nor have `/` or NUL in it"
                )))
            }
        }
    }

    /// # Errors
    ///
    /// As [`space`](State::space).
    pub(super) fn key(&self, name: &str) -> Result<Key> {
        Ok(Key { space: self.space()?, name: name.into() })
    }

    /// Where its counters are: in no namespace that a user could name.
    pub(super) fn of_counters(&self) -> State {
        match self.space.contains(NO_NAMESPACE) {
            true => self.clone(),
            false => State { space: format!("{}{COUNTERS}", self.space).into(), ..self.clone() },
        }
    }

    /// What has this name in this namespace, for people.
    pub(super) fn called(&self, name: &str) -> String {
        called(&self.space, name)
    }

    /// The name of a meeting point in this namespace.
    ///
    /// # Errors
    ///
    /// As [`space`](State::space).
    pub(super) fn meeting(&self, name: &str) -> Result<Arc<str>> {
        Ok(format!("{}\0{name}", self.space()?).into())
    }

    /// Asks what is answered at once.
    ///
    /// # Errors
    ///
    /// When the state is gone. A refusal is an answer.
    pub(super) fn ask(&self, request: &Request) -> Result<Reply> {
        self.client.ask(request, Duration::ZERO)
    }

    /// The same for what changes a value: it waits while another thread of this process, or another process, has its turn.
    ///
    /// # Errors
    ///
    /// As [`ask`](State::ask).
    pub(super) fn change(&self, request: &Request) -> Result<Reply> {
        let _passing = self.client.gate.pass();
        self.client.ask(request, scaled(TURN_PATIENCE))
    }
}

/// A name in a namespace, for people: as the history calls it.
pub(super) fn called(space: &str, name: &str) -> String {
    match space.trim_end_matches(COUNTERS) {
        "" => format!("`{}`", plain(name)),
        space => format!("`{}/{}`", plain(space), plain(name)),
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").field("path", &self.path()).field("namespace", &self.space).finish_non_exhaustive()
    }
}
