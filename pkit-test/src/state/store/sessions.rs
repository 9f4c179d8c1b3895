//! Who is there: processes, and their links.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::super::protocol::Who;

/// Of a process. Given out by whoever carries the answers, and never used twice.
pub(crate) type SessionId = u64;

/// Of a way to it that carries one request at a time. Given out like that, too.
pub(crate) type LinkId = u64;

#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: HashMap<SessionId, Session>,
    links: HashMap<LinkId, SessionId>,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) who: Who,
    pub(super) links: BTreeSet<LinkId>,
    /// What is let go when it is gone, so that nobody has to be looked through for it.
    pub(super) holds: BTreeSet<Holding>,
}

/// Something of a session's own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Holding {
    /// It takes part in it.
    Barrier(Arc<str>),
    /// It has opened it, and not counted it down.
    Latch(Arc<str>),
    Permit(Arc<str>, u64),
    Lease(Arc<str>, u64),
}

impl Sessions {
    pub(super) fn enter(&mut self, session: SessionId, who: Who) {
        self.sessions.insert(session, Session { who, links: BTreeSet::new(), holds: BTreeSet::new() });
    }

    /// Nobody, where it has left already.
    pub(super) fn leave(&mut self, session: SessionId) -> Option<Session> {
        let session = self.sessions.remove(&session)?;
        for link in &session.links {
            self.links.remove(link);
        }
        Some(session)
    }

    /// A link of somebody who is gone is none: what is asked on it is refused.
    pub(super) fn open(&mut self, link: LinkId, session: SessionId) {
        if let Some(found) = self.sessions.get_mut(&session) {
            found.links.insert(link);
            self.links.insert(link, session);
        }
    }

    pub(super) fn close(&mut self, link: LinkId) -> Option<SessionId> {
        let session = self.links.remove(&link)?;
        self.get(session).links.remove(&link);
        Some(session)
    }

    pub(super) fn of(&self, link: LinkId) -> Option<SessionId> {
        self.links.get(&link).copied()
    }

    pub(super) fn who(&self, session: SessionId) -> &Who {
        &self.sessions.get(&session).expect("asked of sessions that are there").who
    }

    pub(super) fn on_link(&self, link: LinkId) -> &Who {
        self.who(self.of(link).expect("asked of links that are open"))
    }

    pub(super) fn holds(&mut self, session: SessionId) -> &mut BTreeSet<Holding> {
        &mut self.get(session).holds
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> impl Iterator<Item = &Holding> {
        self.sessions.values().flat_map(|session| &session.holds)
    }

    fn get(&mut self, session: SessionId) -> &mut Session {
        self.sessions.get_mut(&session).expect("asked of sessions that are there")
    }
}
