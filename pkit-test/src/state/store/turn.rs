//! A turn: for whoever wants to change something without being overtaken.
//!
//! Changes and turns stand in one line, so that neither can keep the other waiting for longer than those that came before it.

use std::time::{Duration, Instant};

use super::super::protocol::{Commit, Reply, Request};
use super::history::Event;
use super::machine::{Answer, Asker, Store};
use super::park::Lot;
use super::sessions::{LinkId, SessionId};
use crate::limits::TURN_LIMIT;

/// Whose it is.
#[derive(Debug)]
pub(super) struct Turn {
    pub(super) link: LinkId,
    pub(super) session: SessionId,
    pub(super) since: Instant,
    pub(super) until: Instant,
}

impl Store {
    /// Whoever has the turn may be in the middle of a function that changes something on another link.
    pub(super) fn has_to_wait_for_turn(&self, session: SessionId, request: &Request) -> bool {
        is_change(request) && self.turn.as_ref().is_some_and(|turn| turn.session != session)
    }

    pub(super) fn take_turn(&mut self, asker: Asker, timeout: Duration) -> Answer {
        match &self.turn {
            // It has it, and gets no more time for asking again.
            Some(turn) if turn.link == asker.link => {}
            Some(_) => return Answer::Later(Lot::Turn, Some(timeout)),
            None => self.grant_turn(asker),
        }
        Reply::Done { version: self.version }.into()
    }

    pub(super) fn give_up_turn(&mut self, asker: Asker) -> Reply {
        self.end_turn_if(|turn| turn.link == asker.link, asker.now);
        Reply::Done { version: self.version }
    }

    /// A commit is the end of a turn, whatever comes of it.
    pub(super) fn commit_in_turn(&mut self, asker: Asker, commit: &Commit) -> Reply {
        let reply = self.commit(asker, commit);
        self.end_turn_if(|turn| turn.link == asker.link, asker.now);
        reply
    }

    pub(super) fn end_turn_if(&mut self, is_over: impl FnOnce(&Turn) -> bool, now: Instant) {
        if self.turn.as_ref().is_some_and(is_over) {
            self.end_turn(now);
        }
    }

    pub(super) fn revoke_turn(&mut self, now: Instant) {
        if let Some(turn) = &self.turn {
            self.history.note(self.sessions.who(turn.session), Event::LostTurn, now);
        }
        self.end_turn(now);
    }

    /// Does what has waited for it, up to the next turn.
    fn end_turn(&mut self, now: Instant) {
        self.turn = None;
        while let (None, Some(link)) = (&self.turn, self.parked.first(&Lot::Turn)) {
            let waiting = self.parked.get(link).expect("who is in a lot waits");
            let session = self.sessions.of(link).expect("who waits is there");
            let (asker, request) = (Asker { link, session, now }, waiting.request.clone());
            let reply = self.in_turn(asker, &request);
            self.let_on(link, reply);
        }
    }

    fn in_turn(&mut self, asker: Asker, request: &Request) -> Reply {
        match request {
            Request::Turn { .. } => {
                self.grant_turn(asker);
                Reply::Done { version: self.version }
            }
            Request::Commit(commit) => self.commit(asker, commit),
            change => self.change(asker, change),
        }
    }

    fn grant_turn(&mut self, asker: Asker) {
        let Asker { link, session, now } = asker;
        self.turn = Some(Turn { link, session, since: now, until: now + TURN_LIMIT });
    }
}

/// Of values. A commit that writes nothing only asks whether something is still so.
fn is_change(request: &Request) -> bool {
    match request {
        Request::Commit(commit) => !commit.writes.is_empty(),
        Request::Set { .. }
        | Request::Replace { .. }
        | Request::Remove { .. }
        | Request::Clear { .. }
        | Request::Increment { .. } => true,
        _ => false,
    }
}
