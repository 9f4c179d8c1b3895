//! What a handle knows of the output.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use super::core::Core;
use super::end::with_last_words;
use crate::error::{Error, Kind, Result};
use crate::guardian::protocol::Order;
use crate::guardian::run::Run;
use crate::output::follow::Follower;
use crate::output::{LOG, Stream};
use crate::ready::{Found, Search};

/// A place in the output of a run, right behind a match of
/// [`wait_for_output`](crate::Process::wait_for_output).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    pub(super) run: u32,
    pub(super) end: u64,
    pub(super) line: String,
    pub(super) groups: Vec<Option<String>>,
}

impl Mark {
    /// The line that matched, as far as it was written by then.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// What a group of the regex matched; group 0 is the whole match.
    #[must_use]
    pub fn group(&self, index: usize) -> Option<&str> {
        self.groups.get(index)?.as_deref()
    }
}

impl Core {
    /// What is kept of the current run, all that was written before this call included.
    pub(super) fn text(&self, only: Option<Stream>) -> String {
        let Some(run) = self.run() else { return String::new() };
        if !run.phase().is_over() && run.guardian().is_ours() {
            // Where nobody answers any more, everything is in the file already.
            let _ = run.request(|token| Order::Sync { token });
        }
        let mut bytes = Vec::new();
        let mut follower = Follower::new(run.log(), 0);
        let read = follower.each(|piece| {
            if only.is_none_or(|stream| stream == piece.stream) {
                bytes.extend_from_slice(&piece.bytes);
            }
        });
        // What could be read until then is still worth having; a log that is gone is empty.
        let _ = read;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(super) fn log_path(&self) -> PathBuf {
        self.run().map(|run| run.log().join(LOG)).unwrap_or_default()
    }
}

/// Waits until the search finds something.
pub(super) fn wait_for(
    core: &Arc<Core>,
    run: &Run,
    mut search: Search,
    regex: &str,
    deadline: Instant,
) -> Result<Found> {
    loop {
        // The order matters: first whether it is over, then the log. What is written before the end is then seen.
        let is_over = run.phase().is_over();
        let found = search
            .look()
            .map_err(|error| Error::system(format_args!("the log of `{}` was not read", core.place().name), error))?;
        if let Some(found) = found {
            return Ok(found);
        }
        if is_over || Instant::now() >= deadline {
            return Err(not_found(core, run, &search, regex, is_over));
        }
        let seen = search.seen();
        run.watch(seen);
        run.wait_until(Some(deadline), |state| (state.output_end > seen || state.phase.is_over()).then_some(()));
    }
}

fn not_found(core: &Arc<Core>, run: &Run, search: &Search, regex: &str, is_over: bool) -> Error {
    let name = &core.place().name;
    let (kind, title) = if is_over {
        (Kind::Unexpected, format!("`{name}` has ended and never wrote `{regex}`"))
    } else {
        (Kind::Timeout, format!("`{name}` has not written `{regex}` in time"))
    };
    let error = core.about(Error::new(kind, title)).fact("saw", search.nothing());
    let error = run.phase().exit().into_iter().fold(error, Error::with_exit);
    with_last_words(error, run)
}
