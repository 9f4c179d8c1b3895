//! The ground of what is shared: where it is started for others, and where this test attaches to it.
//!
//! Whoever starts it does so apart from the test that happens to be first: its guardian, its directory and its environment are
//! those of the run, and the handles of that start are thrown away. Then it attaches to it like everybody else, so that there is
//! one way in which a test has something that is shared.

use std::env::{self, VarError};
use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use super::{Ground, Need, Scope};
use crate::error::Result;
use crate::guardian::client::Guardian;
use crate::guardian::lease::Environment;
use crate::place::Place;
use crate::sync::lock;
use crate::template::Template;

impl Ground {
    /// The ground of something that is started for all of a run, in the environment of that. Where the start of what is around
    /// this is given up, so is that.
    pub(crate) fn starting(&self, guardian: &Arc<Guardian>, environment: &Environment) -> Ground {
        let scope = Scope::starting(Arc::clone(guardian), Arc::clone(environment));
        self.scope.note_apart(&scope);
        if self.is_cancelled() {
            scope.cancel();
        }
        Ground { name: self.full_name(), scope }
    }

    /// Leaves all that was started here to others. Handles of it can be dropped: it has no effect.
    pub(crate) fn hand_over(&self) {
        self.scope.hand_over();
    }

    /// Clears up where it did not come up: all of it has ended with its handles.
    pub(crate) fn was_not_started(&self) {
        self.scope.cores().iter().for_each(|core| core.remove_logs(false));
        self.scope.forget_cores();
    }

    /// Declares where something is that somebody else has started, and in which environment that is started again.
    pub(crate) fn settle_attached(&self, place: &Arc<Place>, environment: Option<&Environment>) {
        self.settle(place);
        let mut members = lock(&self.scope.members);
        members.entry(self.name.clone()).or_default().environment = environment.cloned();
    }

    /// Notes that nothing can be known of it before it is there: where it is somebody else has decided, or is about to.
    pub(crate) fn note_late(&self) {
        lock(&self.scope.members).entry(self.name.clone()).or_default().is_late = true;
    }

    /// Refuses a hole that would be filled before that: sometimes it could be, and sometimes not.
    pub(crate) fn refuse_early(&self, need: &Need) -> Result<()> {
        let template = Template::parse(&need.text);
        let early = template.holes().find(|hole| hole.unordered && self.scope.is_late(&self.name, hole.name()));
        early.map_or(Ok(()), |hole| {
            let name = hole.name();
            let why = format!("`{name}` is shared: where it is nobody knows before it is there");
            let hint = format!("{} waits for that", hole.text.replacen('&', "", 1));
            Err(super::hole_error(&self.full_name(), hole, &why).fact("spec", &need.spec).fact("hint", hint))
        })
    }

    /// What is started here finds this in its environment.
    pub(crate) fn variables(&self) -> Vec<(OsString, OsString)> {
        match self.scope.environment_of(&self.name) {
            Some(environment) => environment.to_vec(),
            None => env::vars_os().collect(),
        }
    }

    pub(super) fn variable(&self, name: &str) -> std::result::Result<String, VarError> {
        let Some(environment) = self.scope.environment_of(&self.name) else { return env::var(name) };
        let known = environment.iter().find(|(known, _)| known == OsStr::new(name));
        let (_, value) = known.ok_or(VarError::NotPresent)?;
        value.clone().into_string().map_err(VarError::NotUnicode)
    }
}
