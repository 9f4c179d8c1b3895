//! Transactions as they are run.
//!
//! Nothing is locked while a closure runs. The server has a version of each value; what is read first says which moment the
//! transaction sees, and what has changed since then is refused by the server instead of being shown. Such a transaction is *doomed*:
//! it is run again, whatever its closure makes of the error. At the end the server looks whether all that was read is still so,
//! and writes, at one moment. This is the algorithm TL2 of Dice, Shalev and Shavit (2006), with the server in place of its locks.

use std::collections::{BTreeMap, BTreeSet};
use std::error;
use std::mem::take;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::client::OwnLink;
use super::protocol::{Commit, Held, Key, Reply, Request, Value, Version};
use super::state::{State, called};
use super::transaction::Transaction;
use super::trouble::{contended_in_turn, moved, rolled_back, unexpected};
use super::turn::Way;
use crate::error::Result;
use crate::limits::{STATE_TRIES, STATE_TURNS};

/// The name of one for people.
const WHAT: &str = "the transaction";

/// One try.
pub(super) struct Run {
    state: State,
    /// In a turn all goes by its link.
    link: Option<OwnLink>,
    /// Which moment it sees: that of what it has read first.
    moment: Option<Version>,
    reads: BTreeMap<Key, Option<Held>>,
    lists: BTreeMap<Arc<str>, BTreeSet<String>>,
    writes: BTreeMap<Key, Option<Value>>,
    is_doomed: bool,
}

/// What a transaction finds at a key.
pub(super) enum Seen {
    Nothing,
    /// By itself.
    Written(Value),
    Kept(Held),
}

impl State {
    /// Reads and changes several keys atomically: the closure sees one moment of the state, and what it writes is written at one
    /// moment, or not at all.
    ///
    /// An error that the closure returns, and a panic in it, leave everything as it was, as does the death of this process. An error
    /// of this crate comes out as it is, any other as the source of one that says so.
    ///
    /// Nothing is locked while the closure runs, and nobody waits for it. It runs again when something that it has read was changed
    /// before its end; so it should do nothing but read and write `tx`, and hand errors of `tx` on with `?`. Two transactions of which each
    /// has read what the other one writes are never both done. It is tried 4 times so; then it asks for its *turn*, in
    /// which others wait with their changes, for a second at most. Turns are given in the order of asking, so that it is done however
    /// busy the others are.
    ///
    /// The state may be used in the closure beside `tx`. That is no part of the transaction: it is done at once, each time the closure runs,
    /// and a transaction that changes by the way what it has read overtakes itself, until it is an error. Nothing in it can wait for
    /// ever, as no turn is longer than its second.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("left", &3)?;
    /// let taken = state.transaction(|tx| {
    ///     let left: u32 = tx.require("left")?;
    ///     tx.set("left", &left.checked_sub(2).ok_or("not enough left")?)?;
    ///     tx.increment("taken", 2)?;
    ///     Ok(2)
    /// })?;
    /// assert_eq!((taken, state.get("left")?, state.get("taken")?), (2, Some(1), Some(2)));
    ///
    /// let error = state.transaction(|tx| {
    ///     tx.increment("taken", 2)?;
    ///     let left: u32 = tx.require("left")?;
    ///     tx.set("left", &left.checked_sub(2).ok_or("not enough left")?)?;
    ///     Ok(())
    /// });
    /// assert!(error.unwrap_err().is_rolled_back());
    /// assert_eq!((state.get("left")?, state.get("taken")?), (Some(1), Some(2)));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the closure [returns one](crate::Error::is_rolled_back), when it took longer than its turn each time that it had one
    /// ([`is_contended`](crate::Error::is_contended)), when all values together are too large, or when the state is gone.
    pub fn transaction<R>(
        &self,
        mut body: impl FnMut(&mut Transaction<'_>) -> Result<R, Box<dyn error::Error + Send + Sync>>,
    ) -> Result<R> {
        for _ in 0..STATE_TRIES {
            if let Some(result) = Run::new(self, None).run(&mut body)? {
                return Ok(result);
            }
        }
        for _ in 0..STATE_TURNS {
            let (link, _shut) = self.turn(WHAT)?.into_parts();
            if let Some(result) = Run::new(self, Some(link)).run(&mut body)? {
                return Ok(result);
            }
        }
        Err(contended_in_turn(WHAT))
    }
}

impl Run {
    fn new(state: &State, link: Option<OwnLink>) -> Run {
        Run {
            state: state.clone(),
            link,
            moment: None,
            reads: BTreeMap::new(),
            lists: BTreeMap::new(),
            writes: BTreeMap::new(),
            is_doomed: false,
        }
    }

    /// `None` is to be run again. That goes for a panic, too: whoever unwraps the error of a doomed transaction panics for no reason of
    /// his own.
    fn run<R>(
        mut self,
        body: &mut impl FnMut(&mut Transaction<'_>) -> Result<R, Box<dyn error::Error + Send + Sync>>,
    ) -> Result<Option<R>> {
        let state = self.state.clone();
        let ended = catch_unwind(AssertUnwindSafe(|| body(&mut Transaction::new(&mut self, state))));
        if self.is_doomed {
            return Ok(None);
        }
        let result = ended.unwrap_or_else(|panic| resume_unwind(panic));
        let result = result.map_err(|why| rolled_back("the transaction was rolled back", why))?;
        Ok(self.commit()?.then_some(result))
    }

    pub(super) fn read(&mut self, key: &Key) -> Result<Seen> {
        if let Some(written) = self.writes.get(key) {
            return Ok(written.clone().map_or(Seen::Nothing, Seen::Written));
        }
        if !self.reads.contains_key(key) {
            let held = match self.ask(&Request::Get { key: key.clone(), since: self.moment })? {
                Reply::Value { held, now } => self.at(now, held),
                other => return Err(unexpected(&called(&key.space, &key.name), other)),
            };
            self.reads.insert(key.clone(), held);
        }
        Ok(self.reads[key].clone().map_or(Seen::Nothing, Seen::Kept))
    }

    /// The names of the keys of a namespace, without those that are written here.
    pub(super) fn list(&mut self, space: &Arc<str>) -> Result<BTreeSet<String>> {
        if !self.lists.contains_key(space) {
            let names = match self.ask(&Request::Keys { space: Arc::clone(space), since: self.moment })? {
                Reply::Names { names, now } => self.at(now, names.into_iter().collect()),
                other => return Err(unexpected(WHAT, other)),
            };
            self.lists.insert(Arc::clone(space), names);
        }
        Ok(self.lists[space].clone())
    }

    pub(super) fn write(&mut self, key: Key, value: Option<Value>) {
        self.writes.insert(key, value);
    }

    pub(super) fn written(&self, space: &Arc<str>) -> impl Iterator<Item = (&Key, &Option<Value>)> {
        self.writes.iter().filter(move |(key, _)| key.space == *space)
    }

    fn at<T>(&mut self, now: Version, seen: T) -> T {
        self.moment.get_or_insert(now);
        seen
    }

    fn ask(&mut self, request: &Request) -> Result<Reply> {
        if self.is_doomed {
            return Err(moved(WHAT));
        }
        let reply = self.way().ask(request)?;
        self.is_doomed = reply == Reply::Moved;
        if self.is_doomed { Err(moved(WHAT)) } else { Ok(reply) }
    }

    /// What only read has seen one moment, and has nothing to say to the server.
    fn commit(mut self) -> Result<bool> {
        if self.writes.is_empty() {
            return Ok(true);
        }
        let commit = self.as_commit();
        match self.way().change(&Request::Commit(commit))? {
            Reply::Done { .. } => Ok(true),
            Reply::Moved => Ok(false),
            other => Err(unexpected(WHAT, other)),
        }
    }

    fn as_commit(&mut self) -> Commit {
        let moment = self.moment.unwrap_or_default();
        let version = |held: Option<Held>| held.map_or(0, |held| held.version);
        Commit {
            reads: take(&mut self.reads).into_iter().map(|(key, held)| (key, version(held))).collect(),
            lists: take(&mut self.lists).into_keys().map(|space| (space, moment)).collect(),
            writes: take(&mut self.writes).into_iter().collect(),
        }
    }

    fn way(&mut self) -> Way<'_> {
        self.link.as_mut().map_or(Way::Any(&self.state), Way::Turn)
    }
}
