//! A turn: how one that others were always quicker than is done at last.

use std::time::Duration;

use super::client::OwnLink;
use super::gate::Shut;
use super::protocol::{Reply, Request};
use super::state::State;
use super::trouble::{contended, unexpected};
use crate::config::scaled;
use crate::error::Result;
use crate::limits::TURN_PATIENCE;

/// Nobody else changes anything, until it is dropped or was held for too long.
pub(super) struct Turn<'s> {
    link: OwnLink,
    shut: Shut<'s>,
}

/// How the server is asked.
pub(super) enum Way<'w> {
    /// On any link, and not while somebody else has the turn.
    Any(&'w State),
    Turn(&'w mut OwnLink),
}

impl State {
    /// Waits for it.
    ///
    /// # Errors
    ///
    /// When too many others are to have theirs before.
    pub(super) fn turn(&self, what: &str) -> Result<Turn<'_>> {
        let timeout = scaled(TURN_PATIENCE);
        let shut = self.client.gate.shut();
        let mut link = self.client.own_link()?;
        match link.ask(&Request::Turn { timeout }, timeout)? {
            Reply::Done { .. } => Ok(Turn { link, shut }),
            Reply::Late { .. } => Err(contended(what).fact("turn", "it did not come")),
            other => Err(unexpected(what, other)),
        }
    }
}

impl<'s> Turn<'s> {
    pub(super) fn way(&mut self) -> Way<'_> {
        Way::Turn(&mut self.link)
    }

    /// For a commit, which is the end of it: the link, and what keeps the other threads of this process back.
    pub(super) fn into_parts(self) -> (OwnLink, Shut<'s>) {
        (self.link, self.shut)
    }

    /// At once. Whatever comes in between, as an error or a panic does, ends it with its link.
    pub(super) fn end(mut self) {
        // What was to be done is done. A state that is gone now has no turns.
        let _ = self.link.ask(&Request::EndTurn, Duration::ZERO);
    }
}

impl Way<'_> {
    /// # Errors
    ///
    /// When the state is gone. A refusal is an answer.
    pub(super) fn ask(&mut self, request: &Request) -> Result<Reply> {
        match self {
            Way::Any(state) => state.ask(request),
            Way::Turn(link) => link.ask(request, Duration::ZERO),
        }
    }

    /// The same for what changes something.
    ///
    /// # Errors
    ///
    /// As [`ask`](Way::ask).
    pub(super) fn change(&mut self, request: &Request) -> Result<Reply> {
        match self {
            Way::Any(state) => state.change(request),
            // It may have been revoked, and then waits as others do.
            Way::Turn(link) => link.ask(request, scaled(TURN_PATIENCE)),
        }
    }
}
