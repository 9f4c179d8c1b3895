//! One key: look at it, decide what shall be there, and write that unless somebody was quicker.
//!
//! The decision is made here and not in the server, so it may have to be made again. What this process has written last is a
//! good guess of what is there, and saves asking for it: then the write itself, which is done only where the guess was right, is the
//! only request. What does not end in a write is asked for all the same, since nobody would have confirmed the guess.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::protocol::{Commit, Held, Key, Only, Reply, Request, Value, Version, Who};
use super::state::{State, called};
use super::trouble::{contended_in_turn, unexpected};
use super::turn::Way;
use crate::error::Result;
use crate::limits::{STATE_TRIES, STATE_TURNS};
use crate::sys::child::own_pid;

/// What is to be done, and what is returned when it was.
pub(super) enum Step<R> {
    Set(Value, R),
    Remove(R),
    Leave(R),
}

/// What came of a try.
enum Tried<R> {
    Done(R),
    /// This is there instead.
    Lost(Option<Held>),
}

/// What is there, as far as is known.
struct Known {
    held: Option<Held>,
    is_guess: bool,
}

impl State {
    /// Decides until it is done: a few times at once, then with nobody else in between.
    ///
    /// # Errors
    ///
    /// Those of the decision, which then holds. When others were always quicker, or the state is gone.
    pub(super) fn modify<R>(&self, key: &str, mut decide: impl FnMut(Option<&Held>) -> Result<Step<R>>) -> Result<R> {
        let (what, key) = (self.called(key), self.key(key)?);
        let mut way = Way::Any(self);
        let mut known = match self.guess(&key) {
            Some(held) => Known { held: Some(held), is_guess: true },
            None => Known::sure(look(&mut way, &key)?),
        };
        for _ in 0..STATE_TRIES {
            match self.attempt(&mut way, &key, known, &mut decide)? {
                Tried::Done(result) => return Ok(result),
                Tried::Lost(held) => known = Known::sure(held),
            }
        }
        for _ in 0..STATE_TURNS {
            let mut turn = self.turn(&what)?;
            let known = Known::sure(look(&mut turn.way(), &key)?);
            let tried = self.attempt(&mut turn.way(), &key, known, &mut decide)?;
            turn.end();
            if let Tried::Done(result) = tried {
                return Ok(result);
            }
        }
        Err(contended_in_turn(&what))
    }

    fn attempt<R>(
        &self,
        way: &mut Way<'_>,
        key: &Key,
        known: Known,
        decide: &mut impl FnMut(Option<&Held>) -> Result<Step<R>>,
    ) -> Result<Tried<R>> {
        let version = known.version();
        let step = match known.is_guess {
            false => decide(known.held.as_ref())?,
            true => match decided_by_guess(way, key, &known, decide)? {
                Tried::Done(step) => step,
                Tried::Lost(held) => return Ok(Tried::Lost(held)),
            },
        };
        match step {
            Step::Leave(result) => Ok(Tried::Done(result)),
            Step::Set(value, result) => {
                Ok(self.set_if(way, key, value, version)?.map_or(Tried::Done(result), Tried::Lost))
            }
            Step::Remove(result) => Ok(remove_if(way, key, version)?.map_or(Tried::Done(result), Tried::Lost)),
        }
    }

    /// What is there instead, if it is not of that version.
    fn set_if(&self, way: &mut Way<'_>, key: &Key, value: Value, version: Version) -> Result<Option<Option<Held>>> {
        let request = Request::Set { key: key.clone(), value, only: Only::IfVersion(version) };
        match (way.change(&request)?, request) {
            (Reply::Done { version }, Request::Set { key, value, .. }) => {
                self.client.remembered.put(&key, version, &value);
                Ok(None)
            }
            (Reply::NotDone { held }, _) => Ok(Some(held)),
            (other, _) => Err(unexpected(&called(&key.space, &key.name), other)),
        }
    }

    fn guess(&self, key: &Key) -> Option<Held> {
        let (version, value) = self.client.remembered.get(key)?;
        Some(Held { value, version, by: Who { name: "this process".into(), pid: own_pid().unsigned_abs() } })
    }
}

impl Known {
    fn sure(held: Option<Held>) -> Known {
        Known { held, is_guess: false }
    }

    fn version(&self) -> Version {
        self.held.as_ref().map_or(0, |held| held.version)
    }
}

/// A decision to write is confirmed by the write. Any other, an error and a panic as well, holds if the guess was right; else it was
/// about what is no longer so, and nobody must hear of it.
fn decided_by_guess<R>(
    way: &mut Way<'_>,
    key: &Key,
    guess: &Known,
    decide: &mut impl FnMut(Option<&Held>) -> Result<Step<R>>,
) -> Result<Tried<Step<R>>> {
    let decided = catch_unwind(AssertUnwindSafe(|| decide(guess.held.as_ref())));
    if let Ok(Ok(step @ (Step::Set(..) | Step::Remove(_)))) = decided {
        return Ok(Tried::Done(step));
    }
    let now = Known::sure(look(way, key)?);
    if now.version() != guess.version() {
        return Ok(Tried::Lost(now.held));
    }
    decided.unwrap_or_else(|panic| resume_unwind(panic)).map(Tried::Done)
}

/// What is there instead, if it is not of that version.
fn remove_if(way: &mut Way<'_>, key: &Key, version: Version) -> Result<Option<Option<Held>>> {
    let commit = Commit { reads: vec![(key.clone(), version)], writes: vec![(key.clone(), None)], ..Commit::default() };
    match way.change(&Request::Commit(commit))? {
        Reply::Done { .. } => Ok(None),
        Reply::Moved => look(way, key).map(Some),
        other => Err(unexpected(&called(&key.space, &key.name), other)),
    }
}

fn look(way: &mut Way<'_>, key: &Key) -> Result<Option<Held>> {
    match way.ask(&Request::Get { key: key.clone(), since: None })? {
        Reply::Value { held, .. } => Ok(held),
        other => Err(unexpected(&called(&key.space, &key.name), other)),
    }
}
