//! How one comes by a state, and who ends it.
//!
//! The process that has started the server ends it, with the last clone that was made there. All others are guests: a state that
//! was handed to a function, or found by its path, ends nothing.

use std::collections::HashMap;
use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::client::Client;
use super::executor::state;
use super::own::Own;
use super::socket::Socket;
use super::state::State;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::function::Worker;
use crate::handle::Process;
use crate::limits::{LAST_BREATH, LAST_WORDS_LINES};
use crate::sync::lock;

/// The part in a server that all clones have which were made in the process that started it.
#[derive(Debug)]
pub(crate) struct Owner {
    worker: Worker<()>,
}

impl Owner {
    pub(super) fn name(&self) -> &str {
        self.worker.name()
    }

    pub(super) fn process(&self) -> &Process {
        &self.worker
    }

    /// Adds how the server has ended, which may be on its way.
    pub(super) fn tell_end(&self, error: Error) -> Error {
        let exit = self.worker.wait_timeout(LAST_BREATH).ok().flatten().or_else(|| self.worker.exit());
        let Some(exit) = exit else { return error.fact("why", "its server has closed the connection") };
        error.with_exit(exit).fact("stderr", self.last_words(exit))
    }

    fn last_words(&self, exit: Exit) -> String {
        if exit.success() {
            return String::new();
        }
        let words = self.worker.stderr();
        let lines: Vec<_> = words.lines().collect();
        lines[lines.len().saturating_sub(LAST_WORDS_LINES)..].join("\n")
    }
}

impl State {
    /// The variable by which a state is found in [`from_env`](State::from_env), and by programs in other languages.
    ///
    /// It is not set by itself: a service is told of a state by whoever says so.
    ///
    /// ```
    /// use pkit_test::{State, orchestra, simple, state};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let app = simple("sh -c 'test -S $PKIT_STATE'").env(State::ENV, "{state.path}").expect_exit(0);
    /// let stack = orchestra().with("state", state()).with("app", app).start()?;
    /// assert!(stack["app"].wait()?.success());
    /// # Ok(()) }
    /// ```
    pub const ENV: &'static str = "PKIT_STATE";

    /// A new one, with nothing in it.
    ///
    /// Its server is a process of its own, which ends with the last clone of this handle.
    ///
    /// ```
    /// use pkit_test::State;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// assert!(state.path().exists());
    /// let path = state.path().to_owned();
    /// drop(state);
    /// assert!(!path.exists());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When its process cannot be started.
    #[track_caller]
    pub fn new() -> Result<State> {
        state().start()
    }

    /// The one that the variable [`PKIT_STATE`](State::ENV) names: for programs that a test starts.
    ///
    /// ```
    /// use pkit_test::State;
    /// let error = State::from_env().unwrap_err();
    /// assert!(error.to_string().contains(r#".env(State::ENV, "{state.path}")"#));
    /// ```
    ///
    /// # Errors
    ///
    /// When it is not set, and as [`at`](State::at).
    pub fn from_env() -> Result<State> {
        match env::var_os(State::ENV).filter(|path| !path.is_empty()) {
            Some(path) => State::at(PathBuf::from(path)),
            None => Err(Error::new(Kind::Absent, format!("the variable `{}` is not set", State::ENV))
                .fact("hint", "whoever starts this program says so in its spec: `.env(State::ENV, \"{state.path}\")`")),
        }
    }

    /// The one whose server listens there: that is the [`path`](State::path) of another handle.
    ///
    /// ```
    /// use pkit_test::State;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let same = State::at(state.path())?;
    /// assert_eq!(same.path(), state.path());
    /// drop(state);
    /// assert!(State::at(same.path()).unwrap_err().is_state_gone());
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When there is none, or none any more; when this user may not go there; when it is that of another version of this crate, or no
    /// state at all.
    pub fn at(path: impl Into<PathBuf>) -> Result<State> {
        let path = path.into();
        let path = std::path::absolute(&path).unwrap_or(path);
        let client = Arc::new(Client::new(Box::new(Socket::new(path, None))));
        client.reach()?;
        Ok(State { client: known(client), space: "".into(), owner: None })
    }

    /// The unix socket on which its server listens: for [`at`](State::at), and for programs in other languages.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// use std::os::unix::net::UnixStream;
    /// let state = pkit_test::State::new()?;
    /// assert!(UnixStream::connect(state.path()).is_ok());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn path(&self) -> &Path {
        self.client.backend().path().unwrap_or(Path::new(""))
    }

    /// The process of its server, where it was started here.
    pub(crate) fn server(&self) -> Option<&Process> {
        self.owner.as_deref().map(Owner::process)
    }

    /// The one that this process has just started.
    pub(crate) fn owned(worker: Worker<()>, path: PathBuf) -> Result<State> {
        let client = Arc::new(Client::new(Box::new(Socket::new(path, None))));
        let owner = Arc::new(Owner { worker });
        client.backend().belongs_to(Arc::downgrade(&owner));
        client.reach()?;
        Ok(State { client: known(client), space: "".into(), owner: Some(owner) })
    }
}

/// Where a server is, and which of all that were ever there.
type Place = (PathBuf, u64);

/// What this process uses already.
static CLIENTS: Own<Mutex<HashMap<Place, Weak<Client>>>> = Own::new();

/// The client that this process has for the same server, or else that one: one has links that others can use again.
fn known(client: Arc<Client>) -> Arc<Client> {
    let (Some(path), Some(server)) = (client.backend().path(), client.backend().server()) else { return client };
    let mut clients = lock(CLIENTS.get(Mutex::default));
    clients.retain(|_, known| known.strong_count() > 0);
    let place = (path.to_owned(), server);
    if let Some(known) = clients.get(&place).and_then(Weak::upgrade) {
        return known;
    }
    clients.insert(place, Arc::downgrade(&client));
    client
}

/// Its path, its server, and its namespace: it is the same state wherever it is read.
impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.path(), self.client.backend().server().unwrap_or(0), &*self.space).serialize(serializer)
    }
}

/// Whether its server still runs shows when it is used.
impl<'de> Deserialize<'de> for State {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
        let (path, server, space) = <(PathBuf, u64, String)>::deserialize(deserializer)?;
        let client = known(Arc::new(Client::new(Box::new(Socket::new(path, Some(server))))));
        Ok(State { client, space: space.into(), owner: None })
    }
}
