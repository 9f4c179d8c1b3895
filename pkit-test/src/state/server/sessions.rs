//! Who is there: processes, each with its links.
//!
//! A process is gone when its last link is closed, or when the system says that it is dead: a fork of it may still hold the
//! sockets. One that has closed its last link in the middle of a request is there until it is dead, where the system can say so.

use std::collections::HashMap;
use std::os::fd::OwnedFd;

use super::ids::ById;
use crate::state::named::plain;
use crate::state::protocol::Who;
use crate::state::store::SessionId;
use crate::sys::peer::Peer;
use crate::sys::procfs;

#[derive(Debug)]
pub(super) struct Session {
    /// What its links have said; none where each link is a process of its own to us.
    nonce: Option<u64>,
    pub(super) links: Vec<u32>,
    /// Becomes readable when it is dead.
    pub(super) end: Option<OwnedFd>,
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: ById<Session>,
    by_nonce: HashMap<u64, u32>,
}

impl Sessions {
    pub(super) fn of_nonce(&self, nonce: u64) -> Option<u32> {
        self.by_nonce.get(&nonce).copied()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Session> {
        self.by_id.get(&id)
    }

    pub(super) fn add(&mut self, id: u32, nonce: Option<u64>, end: Option<OwnedFd>) {
        self.by_nonce.extend(nonce.map(|nonce| (nonce, id)));
        self.by_id.insert(id, Session { nonce, links: Vec::new(), end });
    }

    pub(super) fn add_link(&mut self, id: u32, link: u32) {
        if let Some(session) = self.by_id.get_mut(&id) {
            session.links.push(link);
        }
    }

    /// Whether that was its last one.
    pub(super) fn remove_link(&mut self, id: u32, link: u32) -> bool {
        let Some(session) = self.by_id.get_mut(&id) else { return false };
        session.links.retain(|known| *known != link);
        session.links.is_empty()
    }

    /// Whether it may come back with another link, and its end is seen in any case.
    pub(super) fn outlives_links(&self, id: u32) -> bool {
        self.get(id).is_some_and(|session| session.nonce.is_some() && session.end.is_some())
    }

    pub(super) fn remove(&mut self, id: u32) -> Option<Session> {
        let session = self.by_id.remove(&id)?;
        session.nonce.map(|nonce| self.by_nonce.remove(&nonce));
        Some(session)
    }
}

/// A process for people, which may have said its name.
pub(super) fn who(peer: &Peer, name: Option<&str>) -> Who {
    let known = peer.pid.and_then(procfs::name);
    let name = name.filter(|name| !name.is_empty()).or(known.as_deref()).unwrap_or("somebody");
    Who { name: plain(name).into(), pid: peer.pid.and_then(|pid| u32::try_from(pid).ok()).unwrap_or(0) }
}

/// As the machine counts them.
pub(super) fn number(id: u32) -> SessionId {
    id.into()
}
