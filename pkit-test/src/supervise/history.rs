//! What has happened under supervision, for people.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::HISTORY_LINES;

/// The newest lines, and how many there were before them.
#[derive(Debug, Default)]
pub(super) struct History {
    lines: VecDeque<String>,
    forgotten: usize,
}

impl History {
    pub(super) fn note(&mut self, at: Duration, what: impl AsRef<str>) {
        if self.lines.len() == HISTORY_LINES {
            self.lines.pop_front();
            self.forgotten += 1;
        }
        self.lines.push_back(format!("after {}: {}", passed(at), what.as_ref()));
    }

    pub(super) fn text(&self) -> String {
        let forgotten = (self.forgotten > 0).then(|| format!("({} lines before)", self.forgotten));
        forgotten.into_iter().chain(self.lines.iter().cloned()).collect::<Vec<_>>().join("\n")
    }
}

/// A duration as people say it.
pub(super) fn passed(duration: Duration) -> String {
    let whole_seconds = !duration.is_zero() && duration.subsec_nanos() == 0;
    if whole_seconds { format!("{} s", duration.as_secs()) } else { format!("{} ms", duration.as_millis()) }
}
