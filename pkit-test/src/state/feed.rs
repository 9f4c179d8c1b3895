//! Changes as they come: what waiting and watching are made of.

use std::sync::Arc;
use std::time::Duration;

use super::client::OwnLink;
use super::protocol::{Change, Reply, Request, Version};
use super::state::State;
use super::trouble::unexpected;
use crate::error::Result;

/// A watch on a link of its own, which ends it.
pub(super) struct Feed {
    link: OwnLink,
    what: String,
}

/// What is watched, and how.
pub(super) struct Watched {
    pub(super) space: Arc<str>,
    /// None are all.
    pub(super) keys: Vec<Arc<str>>,
    pub(super) is_live: bool,
    pub(super) with_first: bool,
}

impl Feed {
    /// From now on, which is that version of the state.
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub(super) fn begin(state: &State, what: String, watched: Watched) -> Result<(Feed, Version)> {
        let mut feed = Feed { link: state.client.own_link()?, what };
        let version = feed.begin_again(watched)?;
        Ok((feed, version))
    }

    /// In place of what it was.
    ///
    /// # Errors
    ///
    /// When the state is gone.
    pub(super) fn begin_again(&mut self, watched: Watched) -> Result<Version> {
        let Watched { space, keys, is_live, with_first } = watched;
        match self.link.ask(&Request::Watch { space, keys, is_live, with_first }, Duration::ZERO)? {
            Reply::Done { version } => Ok(version),
            other => Err(unexpected(&self.what, other)),
        }
    }

    /// The next changes; `None` where there were none in that time. No time is for ever.
    ///
    /// # Errors
    ///
    /// When some were missed, after which it goes on; or when the state is gone.
    pub(super) fn next(&mut self, timeout: Option<Duration>) -> Result<Option<Vec<Change>>> {
        match self.link.ask(&Request::Next { timeout }, timeout.unwrap_or(Duration::MAX))? {
            Reply::Changes(changes) => Ok(Some(changes)),
            Reply::Late { .. } => Ok(None),
            other => Err(unexpected(&self.what, other)),
        }
    }
}
