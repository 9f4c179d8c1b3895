//! What has happened under supervision, for people.

use std::collections::VecDeque;
use std::time::Duration;

use crate::duration::in_words;
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
        self.lines.push_back(format!("after {}: {}", in_words(at), what.as_ref()));
    }

    pub(super) fn text(&self) -> String {
        let forgotten = (self.forgotten > 0).then(|| format!("({} lines before)", self.forgotten));
        forgotten.into_iter().chain(self.lines.iter().cloned()).collect::<Vec<_>>().join("\n")
    }
}
