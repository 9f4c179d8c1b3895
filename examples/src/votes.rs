//! Votes, counted in a store that several processes use at once.

use std::io;

use crate::store::Store;

/// Counts a vote as it was written first: reads, asks whether it may be, and writes. Whoever comes in between is forgotten.
///
/// # Errors
///
/// When the store does not answer, or has no number there.
pub fn vote(store: &mut Store, candidate: &str, is_allowed: impl FnOnce() -> bool) -> io::Result<()> {
    let votes = count(store, candidate)?;
    if is_allowed() { store.set(candidate, &(votes + 1).to_string()) } else { Ok(()) }
}

/// Counts a vote as it has to be: the store adds it, in one step.
///
/// # Errors
///
/// As [`vote`].
pub fn vote_in_one_step(store: &mut Store, candidate: &str, is_allowed: impl FnOnce() -> bool) -> io::Result<()> {
    if is_allowed() { store.incr(candidate).map(drop) } else { Ok(()) }
}

/// How many there are.
///
/// # Errors
///
/// As [`vote`].
pub fn count(store: &mut Store, candidate: &str) -> io::Result<u64> {
    store.get(candidate)?.map_or(Ok(0), |votes| votes.parse().map_err(io::Error::other))
}
