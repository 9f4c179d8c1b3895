//! The end of a test: what it has started, as a table and as a timeline.
//!
//! It stands beside the error and never in it: an error is the same text whatever else was up. It is told once, at the end of the
//! outermost scope, when everything has its end; and not at all where one run of one process is all there is, about which the error
//! says it all.

use std::cmp::Reverse;
use std::fmt::Write as _;
use std::time::Duration;

use super::history::{Record, Story};
use super::values::{ProcessRecord, ProcessState};
use super::{table, timeline};
use crate::config::{config, say};
use crate::limits::REPORTED_PROCESSES;

/// No line of a timeline is longer.
pub(super) const WIDTH: usize = 80;

/// A name takes up no more.
pub(super) const NAME_WIDTH: usize = 20;

impl Record {
    /// Tells about the test in the words of the calling thread, if the settings want that, unless a scope is still open: that
    /// one will.
    pub(crate) fn report(&self, has_failed: bool) {
        if !config().output.applies(has_failed) || self.kept(|kept| kept.open_scopes > 0) {
            return;
        }
        let story = self.story();
        if is_worth_telling(&story) {
            say(&render(&story));
            self.told(story.to);
        }
    }
}

fn is_worth_telling(story: &Story) -> bool {
    story.is_news && story.processes.iter().map(|process| process.runs.len()).sum::<usize>() > 1
}

pub(super) fn render(story: &Story) -> String {
    let all = &story.processes;
    let shown = &chosen(all);
    let unit = Unit::of(story.to);
    let mut text = format!("--- {} in {}\n", counted(shown.len(), all.len() + story.forgotten), unit.text(story.to));
    text.push_str(&table::render(shown, unit));
    text.push_str(&timeline::render(shown, story.from, story.to, unit));
    text
}

/// Of too many those with which something was wrong, and the last ones, all of them in their order.
fn chosen(all: &[ProcessRecord]) -> Vec<ProcessRecord> {
    let mut places: Vec<usize> = (0..all.len()).collect();
    places.sort_by_key(|&place| Reverse((went_wrong(&all[place]), place)));
    places.truncate(REPORTED_PROCESSES);
    places.sort_unstable();
    places.into_iter().map(|place| all[place].clone()).collect()
}

fn went_wrong(process: &ProcessRecord) -> bool {
    process.runs.iter().any(|run| matches!(run.state(), ProcessState::Died | ProcessState::Failed))
}

fn counted(shown: usize, all: usize) -> String {
    match (shown, all) {
        (1, 1) => "1 process".to_owned(),
        (shown, all) if shown == all => format!("{all} processes"),
        (shown, all) => format!("{shown} of {all} processes"),
    }
}

/// In what times are told: one for a whole report, so that its numbers can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Hundredths,
    Millis,
    Seconds,
}

impl Unit {
    /// For times of up to that.
    pub(super) fn of(longest: Duration) -> Unit {
        match longest.as_millis() {
            0..10 => Unit::Hundredths,
            10..10_000 => Unit::Millis,
            _ => Unit::Seconds,
        }
    }

    pub(super) fn text(self, time: Duration) -> String {
        let ms = time.as_secs_f64() * 1000.0;
        match self {
            Unit::Hundredths => format!("{ms:.2} ms"),
            Unit::Millis => format!("{ms:.0} ms"),
            Unit::Seconds => format!("{:.1} s", ms / 1000.0),
        }
    }
}

/// A name in a column. What would take up more lines or none is no part of it.
pub(super) fn name(process: &ProcessRecord) -> String {
    let mut name = String::new();
    for (index, c) in process.name.chars().enumerate() {
        if index + 1 == NAME_WIDTH && process.name.chars().count() > NAME_WIDTH {
            let _ = name.write_char('~');
            break;
        }
        name.push(if c.is_control() { '?' } else { c });
    }
    name
}
