//! A state in the memory of this process, for tests: the same store without sockets and processes.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::backend::{Backend, Link};
use super::protocol::{Reply, Request, Who};
use super::store::{LinkId, SessionId, Store};
use crate::config::deadline_in;
use crate::error::{Error, Kind, Result};
use crate::sync::Monitor;

/// What keeps a state, for several processes that are none.
#[derive(Clone)]
pub(crate) struct Memory {
    kept: Arc<Monitor<Kept>>,
}

struct Kept {
    store: Store,
    /// Answers that nobody has taken yet.
    replies: HashMap<LinkId, Reply>,
    is_over: bool,
}

/// A process, as that sees one. It is gone when this and its links are.
pub(crate) struct Somebody {
    kept: Arc<Monitor<Kept>>,
    session: Arc<Session>,
}

struct Session {
    id: SessionId,
    kept: Weak<Monitor<Kept>>,
}

struct MemoryLink {
    id: LinkId,
    kept: Arc<Monitor<Kept>>,
    _session: Arc<Session>,
}

fn next() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

impl Memory {
    pub(crate) fn new() -> Memory {
        let store = Store::new(Instant::now());
        Memory { kept: Arc::new(Monitor::new(Kept { store, replies: HashMap::new(), is_over: false })) }
    }

    /// Another process.
    pub(crate) fn process(&self, name: &str) -> Somebody {
        let id = next();
        self.kept.with(|kept| kept.store.enter(id, Who { name: name.into(), pid: 0 }));
        let session = Session { id, kept: Arc::downgrade(&self.kept) };
        Somebody { kept: Arc::clone(&self.kept), session: Arc::new(session) }
    }

    /// What happens when a server dies.
    pub(crate) fn end(&self) {
        self.kept.change(|kept| kept.is_over = true);
    }
}

impl Kept {
    fn collect(&mut self) {
        self.replies.extend(self.store.replies());
    }

    fn tick(&mut self) {
        self.store.tick(Instant::now());
        self.collect();
    }
}

impl Session {
    fn end(&self) {
        let Some(kept) = self.kept.upgrade() else { return };
        kept.change(|kept| {
            kept.store.leave(self.id, Instant::now());
            kept.collect();
        });
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.end();
    }
}

impl Backend for Somebody {
    fn link(&self) -> Result<Box<dyn Link>> {
        let id = next();
        let is_over = self.kept.with(|kept| {
            kept.store.open(id, self.session.id);
            kept.is_over
        });
        if is_over {
            return Err(self.lost(io::ErrorKind::BrokenPipe.into()));
        }
        Ok(Box::new(MemoryLink { id, kept: Arc::clone(&self.kept), _session: Arc::clone(&self.session) }))
    }

    fn lost(&self, _why: io::Error) -> Error {
        Error::new(Kind::StateGone, "the state `memory` is gone")
    }
}

impl Link for MemoryLink {
    fn ask(&mut self, request: &Request, limit: Duration) -> io::Result<Reply> {
        let end = deadline_in(limit);
        let answered = self.kept.change(|kept| {
            if kept.is_over {
                return Err(io::Error::from(io::ErrorKind::BrokenPipe));
            }
            let reply = kept.store.ask(self.id, request.clone(), Instant::now());
            kept.collect();
            Ok(reply)
        })?;
        answered.map_or_else(|| self.wait(end), Ok)
    }
}

impl MemoryLink {
    /// Whoever waits is the clock of the store as well.
    fn wait(&self, end: Instant) -> io::Result<Reply> {
        loop {
            let deadline = self.kept.with(|kept| kept.store.deadline()).map_or(end, |deadline| deadline.min(end));
            let reply = self.kept.wait_until(Some(deadline), |kept| {
                let is_earlier = kept.store.deadline().is_some_and(|next| next < deadline);
                match kept.replies.remove(&self.id) {
                    Some(reply) => Some(Ok(reply)),
                    None if kept.is_over => Some(Err(Some(io::ErrorKind::UnexpectedEof))),
                    None => is_earlier.then_some(Err(None)),
                }
            });
            match reply {
                Some(Ok(reply)) => return Ok(reply),
                Some(Err(Some(why))) => return Err(why.into()),
                _ if Instant::now() >= end => return Err(io::ErrorKind::TimedOut.into()),
                _ => self.kept.change(Kept::tick),
            }
        }
    }
}

impl Drop for MemoryLink {
    fn drop(&mut self) {
        self.kept.change(|kept| {
            kept.store.close(self.id, Instant::now());
            kept.replies.remove(&self.id);
            kept.collect();
        });
    }
}
