//! What all meeting points have: a name in a namespace of a state.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::super::protocol::{Reply, Request};
use super::super::state::State;
use super::super::trouble::{late, unexpected};
use crate::error::{Error, Result};

/// A meeting point, as one process knows it.
#[derive(Clone)]
pub(super) struct Point {
    /// Keeps the server up where this process has started it.
    state: State,
    kind: &'static str,
    name: String,
}

impl Point {
    pub(super) fn new(state: &State, kind: &'static str, name: &str) -> Point {
        Point { state: state.clone(), kind, name: name.to_owned() }
    }

    /// How the server calls it.
    ///
    /// # Errors
    ///
    /// When its namespace cannot be one.
    pub(super) fn full_name(&self) -> Result<Arc<str>> {
        self.state.meeting(&self.name)
    }

    /// Asks for what takes so long at most.
    ///
    /// # Errors
    ///
    /// When the state is gone. A refusal is an answer.
    pub(super) fn ask(&self, request: &Request, patience: Duration) -> Result<Reply> {
        self.state.client.ask(request, patience)
    }

    /// It was refused, or its time is over: that it `was not so` within it.
    pub(super) fn failed(&self, was_not_so: &str, timeout: Duration, reply: Reply) -> Error {
        match reply {
            Reply::Late { facts } => late(&format!("{self} {was_not_so}"), timeout, facts),
            other => self.unexpected(other),
        }
    }

    pub(super) fn unexpected(&self, reply: Reply) -> Error {
        unexpected(&self.to_string(), reply)
    }
}

impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.state.called(&self.name))
    }
}

impl fmt::Debug for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A number that the server has counted.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
