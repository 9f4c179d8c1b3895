//! The last of what happened, for people: who did what, and when.
//!
//! It is noted on every change, so that a note is a few counted pointers; words are made only of what is asked for. A large value
//! is not kept alive by it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::packed;
use super::super::protocol::{Key, Value, Who};
use super::words::{key, name, plain};
use crate::function::codec::size;
use crate::limits::{HISTORY_CHANGES, HISTORY_CHARS};

/// The largest value that is kept in it.
const KEPT_BYTES: usize = 2048;

#[derive(Debug)]
pub(super) struct History {
    began: Instant,
    notes: VecDeque<Note>,
    /// How many there ever were.
    count: u64,
}

#[derive(Debug)]
struct Note {
    at: Instant,
    who: Who,
    what: Event,
}

/// What somebody did. `of` is how many changes were made at once.
#[derive(Debug)]
pub(super) enum Event {
    Set {
        key: Key,
        value: Kept,
        of: usize,
    },
    Removed {
        key: Key,
        of: usize,
    },
    Increased {
        key: Key,
        by: i64,
        to: i64,
    },
    Acquired {
        name: Arc<str>,
    },
    /// It is gone, and a permit of it is free.
    LeftPermit {
        name: Arc<str>,
    },
    /// It is gone, and an item of it is back.
    LeftItem {
        name: Arc<str>,
    },
    /// It has broken a round of a barrier.
    Broke {
        name: Arc<str>,
        why: &'static str,
    },
    Came {
        name: Arc<str>,
        step: Arc<str>,
    },
    LetOn {
        name: Arc<str>,
        step: Arc<str>,
        many: u64,
    },
    Opened {
        name: Arc<str>,
        step: Arc<str>,
    },
    /// It is gone from where it stood.
    LeftStep {
        name: Arc<str>,
        step: Arc<str>,
    },
    /// It took too long.
    LostTurn,
}

#[derive(Debug)]
pub(super) enum Kept {
    Whole(Value),
    Large(usize),
}

impl History {
    pub(super) fn new(began: Instant) -> History {
        History { began, notes: VecDeque::with_capacity(HISTORY_CHANGES), count: 0 }
    }

    pub(super) fn note(&mut self, who: &Who, what: Event, at: Instant) {
        if self.notes.len() == HISTORY_CHANGES {
            self.notes.pop_front();
        }
        self.notes.push_back(Note { at, who: who.clone(), what });
        self.count += 1;
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// A line each, in columns: what is kept of those that came after so many.
    pub(super) fn lines_after(&self, count: u64) -> Vec<String> {
        let gone = self.count - self.notes.len() as u64;
        let known = usize::try_from(count.saturating_sub(gone)).unwrap_or(usize::MAX);
        let notes = || self.notes.iter().skip(known);
        let times: Vec<_> = notes().map(|note| time(note.at.saturating_duration_since(self.began))).collect();
        let whos: Vec<_> = notes().map(|note| plain(&note.who)).collect();
        let (time_width, who_width) = (widest(&times), widest(&whos));
        let heads = times.iter().zip(&whos);
        let lines = heads
            .zip(notes())
            .map(|((time, who), note)| format!("{time:>time_width$}  {who:who_width$}  {}", note.what));
        lines.collect()
    }
}

impl Kept {
    pub(super) fn of(value: &Value) -> Kept {
        let bytes = value.bytes.len();
        if bytes <= KEPT_BYTES { Kept::Whole(value.clone()) } else { Kept::Large(bytes) }
    }
}

impl std::fmt::Display for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Kept::Whole(value) => f.write_str(&packed::shown(&value.bytes, HISTORY_CHARS)),
            Kept::Large(bytes) => write!(f, "({})", size(*bytes as u64)),
        }
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Event::Set { key: of_key, value, of } => write!(f, "set {} = {value}{}", key(of_key), together(*of)),
            Event::Removed { key: of_key, of } => write!(f, "remove {}{}", key(of_key), together(*of)),
            Event::Increased { key: of_key, by, to } => write!(f, "increment {} by {by}, to {to}", key(of_key)),
            Event::Acquired { name: of } => write!(f, "acquire {}", name(of)),
            Event::LeftPermit { name: of } => write!(f, "died with a permit of {}", name(of)),
            Event::LeftItem { name: of } => write!(f, "died with an item of {}", name(of)),
            Event::Broke { name: of, why } => write!(f, "broke {}: {why}", name(of)),
            Event::Came { name: of, step } => write!(f, "came to {step} of {}", name(of)),
            Event::LetOn { name: of, step, many } => write!(f, "let {many} on at {step} of {}", name(of)),
            Event::Opened { name: of, step } => write!(f, "opened {step} of {}", name(of)),
            Event::LeftStep { name: of, step } => write!(f, "was lost at {step} of {}", name(of)),
            Event::LostTurn => f.write_str("took too long for a turn, and lost it"),
        }
    }
}

fn together(of: usize) -> String {
    if of > 1 { format!("  (one of {of} at once)") } else { String::new() }
}

/// Milliseconds, as what belongs together is less than one apart.
fn time(since: Duration) -> String {
    format!("+{}.{} ms", since.as_millis(), since.as_micros() / 100 % 10)
}

fn widest(texts: &[String]) -> usize {
    texts.iter().map(|text| text.chars().count()).max().unwrap_or(0)
}
