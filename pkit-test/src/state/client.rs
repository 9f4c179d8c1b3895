//! The way of one process to a state: links that are used again.
//!
//! All threads of a process share it. A fork of the process has links of its own, for two who speak on the same one would get each
//! other's answers.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::backend::{Backend, Link};
use super::gate::Gate;
use super::own::{Here, Own};
use super::protocol::{Reply, Request};
use super::remembered::Remembered;
use crate::config::scaled;
use crate::error::{Error, Kind, Result};
use crate::limits::{STATE_ANSWER_LIMIT, STATE_IDLE_LINKS};
use crate::sync::lock;

/// All threads of a process share it.
pub(crate) struct Client {
    backend: Box<dyn Backend>,
    /// The one that was used last is used next.
    idle: Own<Mutex<Vec<Box<dyn Link>>>>,
    /// What `update` begins with.
    pub(crate) remembered: Remembered,
    /// Shut for the other threads while one has its turn.
    pub(crate) gate: Gate,
}

/// A link for whoever needs several requests on the same one: a watch, a turn. It ends with this.
pub(crate) struct OwnLink {
    client: Arc<Client>,
    link: Box<dyn Link>,
    here: Here,
}

impl Client {
    pub(crate) fn new(backend: Box<dyn Backend>) -> Client {
        Client { backend, idle: Own::new(), remembered: Remembered::default(), gate: Gate::new() }
    }

    /// Makes sure that it can be reached.
    ///
    /// # Errors
    ///
    /// As [`ask`](Client::ask).
    pub(crate) fn reach(&self) -> Result<()> {
        self.put(self.backend.link()?);
        Ok(())
    }

    /// Asks on any link. `patience` is how long the request may wait by itself; zero for all that is answered at once.
    ///
    /// # Errors
    ///
    /// When the state is gone, or does not answer. A refusal is an answer.
    pub(crate) fn ask(&self, request: &Request, patience: Duration) -> Result<Reply> {
        let idle = lock(self.idle()).pop();
        if let Some(link) = idle {
            match self.ask_on(link, request, patience) {
                // The server has closed it while nobody used it. It may be there all the same, and has not heard of this.
                Err(why) if why.kind() == io::ErrorKind::BrokenPipe => {}
                reply => return reply.map_err(|why| self.lost(request, why)),
            }
        }
        let link = self.backend.link()?;
        self.ask_on(link, request, patience).map_err(|why| self.lost(request, why))
    }

    /// # Errors
    ///
    /// As [`ask`](Client::ask).
    pub(crate) fn own_link(self: &Arc<Client>) -> Result<OwnLink> {
        Ok(OwnLink { client: Arc::clone(self), link: self.backend.link()?, here: Here::now() })
    }

    pub(super) fn backend(&self) -> &dyn Backend {
        &*self.backend
    }

    fn ask_on(&self, mut link: Box<dyn Link>, request: &Request, patience: Duration) -> io::Result<Reply> {
        let reply = link.ask(request, limit(patience))?;
        self.put(link);
        Ok(reply)
    }

    fn put(&self, link: Box<dyn Link>) {
        let mut idle = lock(self.idle());
        if idle.len() < STATE_IDLE_LINKS {
            idle.push(link);
        }
    }

    fn idle(&self) -> &Mutex<Vec<Box<dyn Link>>> {
        self.idle.get(Mutex::default)
    }

    fn lost(&self, request: &Request, why: io::Error) -> Error {
        let is_open = why.kind() != io::ErrorKind::BrokenPipe && request.changes();
        let error = self.backend.lost(why);
        if is_open { error.fact("change", "it may or may not have been done") } else { error }
    }
}

impl OwnLink {
    /// # Errors
    ///
    /// As [`Client::ask`]. And in a fork of the process that made it.
    pub(crate) fn ask(&mut self, request: &Request, patience: Duration) -> Result<Reply> {
        if !self.here.is_here() {
            let title = "this is a link of the process that made it, of which this one is a fork";
            return Err(Error::new(Kind::State, title));
        }
        let reply = self.link.ask(request, limit(patience));
        reply.map_err(|why| self.client.lost(request, why))
    }
}

fn limit(patience: Duration) -> Duration {
    patience.saturating_add(scaled(STATE_ANSWER_LIMIT))
}
