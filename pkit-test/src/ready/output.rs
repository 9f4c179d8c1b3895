//! Has the process written a certain line?
//!
//! An event, not a poll: the shim says when there is more than we have seen. A line counts also while it is
//! unfinished, for a prompt has no end of line.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use regex_lite::Regex;

use super::{Fill, Look, Probe, Sight, Unprepared};
use crate::guardian::run::Run;
use crate::output::Stream;
use crate::output::follow::{Follower, Piece};
use crate::output::lines::{Line, Lines};
use crate::sys::bell::Bell;
use crate::template::{Hole, Template};

/// Ready when a line of the output, finished or not, matches a regex.
///
/// ```
/// use pkit_test::{Spec, ready::Output};
/// # fn main() -> pkit_test::Result<()> {
/// let worker = Spec::new("sh -c 'printf \"login: \" >&2; sleep 60'").ready(Output::stderr("^login: $")).start()?;
/// assert_eq!(worker.stderr(), "login: ");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    stream: Option<Stream>,
    regex: String,
}

impl Output {
    /// A line of either stream.
    ///
    /// The syntax of the regex is that of the `regex-lite` crate; an invalid one is an error of the start. In it only
    /// names that are known are holes, and their values are inserted escaped.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Output};
    /// # fn main() -> pkit_test::Result<()> {
    /// let worker = Spec::new("sh -c 'echo ready >&2; sleep 60'").ready(Output::any("^ready$")).start()?;
    /// assert_eq!(worker.output(), "ready\n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn any(regex: impl Into<String>) -> Output {
        Output { stream: None, regex: regex.into() }
    }

    /// A line of its standard output. What it writes to standard error does not count.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Output};
    /// # fn main() -> pkit_test::Result<()> {
    /// let command = "sh -c 'echo ready >&2; echo ready; sleep 60'";
    /// let worker = Spec::new(command).ready(Output::stdout("^ready$")).start()?;
    /// assert_eq!(worker.stdout(), "ready\n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stdout(regex: impl Into<String>) -> Output {
        Output { stream: Some(Stream::Out), regex: regex.into() }
    }

    /// A line of its standard error. What it writes to standard output does not count.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Output};
    /// # fn main() -> pkit_test::Result<()> {
    /// let command = "sh -c 'echo ready; echo ready >&2; sleep 60'";
    /// let worker = Spec::new(command).ready(Output::stderr("^ready$")).start()?;
    /// assert_eq!(worker.stderr(), "ready\n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stderr(regex: impl Into<String>) -> Output {
        Output { stream: Some(Stream::Err), regex: regex.into() }
    }

    pub(super) fn holes(&self) -> Vec<Hole> {
        holes_of(&self.regex)
    }

    pub(super) fn mistake(&self) -> Option<String> {
        mistake_of(&self.regex)
    }

    pub(super) fn prepare<E>(&self, fill: &mut Fill<'_, E>) -> Result<Written, Unprepared<E>> {
        let regex = fill_regex(&self.regex, fill)?;
        Ok(Written { stream: self.stream, regex, search: None, bell: None })
    }
}

/// The holes that a regex has where their names are known.
pub(super) fn holes_of(regex: &str) -> Vec<Hole> {
    Template::parse_regex(regex, &|_| true).holes().cloned().collect()
}

/// What is wrong with a regex, whatever is in its holes.
pub(super) fn mistake_of(regex: &str) -> Option<String> {
    // With a letter in each hole: a value is inserted escaped, so that none makes a sound regex unsound, unless it is one
    // end of a range or a flag: `[{x}-z]`, `(?{x})`. That is found when the probe is prepared, and so is what becomes of the braces
    // where a name turns out to mean nothing.
    let filled = Template::parse_regex(regex, &|_| true).render(&mut |_| Ok::<_, ()>("x".to_owned()));
    let sound = Regex::new(&filled.unwrap_or_default());
    sound.err().map(|error| invalid(regex, &error))
}

/// A regex with its holes filled.
pub(super) fn fill_regex<E>(regex: &str, fill: &mut Fill<'_, E>) -> Result<Regex, Unprepared<E>> {
    let template = Template::parse_regex(regex, fill.is_known);
    let regex = template.render(fill.lookup).map_err(Unprepared::Hole)?;
    compile(&regex).map_err(Unprepared::Mistake)
}

/// A regex, or what is wrong with it.
fn compile(regex: &str) -> Result<Regex, String> {
    Regex::new(regex).map_err(|error| invalid(regex, &error))
}

fn invalid(regex: &str, error: &regex_lite::Error) -> String {
    format!("invalid regex `{regex}`: {error}")
}

/// Whether a line was written.
#[derive(Debug)]
pub(super) struct Written {
    stream: Option<Stream>,
    regex: Regex,
    search: Option<Search>,
    /// Rung by the shim. Without it the shim has to be asked, and its answer comes by way of the guardian.
    bell: Option<Arc<Bell>>,
}

impl Probe for Written {
    fn look(&mut self, sight: &Sight<'_>) -> Look {
        // First of all: what is written from here on rings again.
        self.bell.iter().for_each(|bell| bell.drain());
        let search = self.search.get_or_insert_with(|| Search::new(sight.run, self.stream, self.regex.clone(), 0));
        match search.look() {
            Ok(Seen::Match(_)) => Look::Ready,
            Ok(Seen::Some) => Look::More(search.nothing()),
            Ok(Seen::All) => {
                if self.bell.is_none() || sight.run.look(|state| state.has_no_bell) {
                    sight.run.watch(search.seen());
                }
                Look::AtEvent(search.nothing())
            }
            Err(error) => Look::NotYet(format!("the log cannot be read: {error}")),
        }
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.bell.as_ref().map(|bell| bell.as_fd())
    }

    fn bell(&mut self) -> Option<&mut Option<Arc<Bell>>> {
        Some(&mut self.bell)
    }

    fn question(&self) -> String {
        let stream = self.stream.map_or("output", Stream::name);
        format!("{stream} matches `{}`", self.regex.as_str())
    }
}

/// Looks for a line in the output of a run, from any place on.
pub(crate) struct Search {
    stream: Option<Stream>,
    regex: Regex,
    follower: Follower,
    lines: Lines,
    seen: u64,
    last_line: Option<String>,
}

/// What a look at the output gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Seen {
    Match(Found),
    /// No match in this portion; there may be more.
    Some,
    /// No match in all that was written.
    All,
}

/// A line that matches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    pub(crate) line: String,
    pub(crate) groups: Vec<Option<String>>,
    /// The place in the log right behind the match.
    pub(crate) end: u64,
}

impl Search {
    pub(crate) fn new(run: &Run, stream: Option<Stream>, regex: Regex, from: u64) -> Search {
        let follower = Follower::new(run.log(), from);
        Search { stream, regex, follower, lines: Lines::default(), seen: from, last_line: None }
    }

    /// The same, from the text of a regex.
    pub(crate) fn compiled(run: &Run, regex: &str, from: u64) -> Result<Search, String> {
        compile(regex).map(|regex| Search::new(run, None, regex, from))
    }

    /// Reads a portion of what is new and looks through it. Whoever calls has a deadline, and a process can write for
    /// ever.
    pub(crate) fn look(&mut self) -> io::Result<Seen> {
        let pieces = self.follower.next()?;
        if pieces.is_empty() {
            return Ok(Seen::All);
        }
        for piece in pieces {
            self.seen = piece.start + piece.bytes.len() as u64;
            if let Some(found) = self.look_at(&piece) {
                return Ok(Seen::Match(found));
            }
        }
        Ok(Seen::Some)
    }

    fn look_at(&mut self, piece: &Piece) -> Option<Found> {
        let Search { stream: wanted, regex, lines, last_line, .. } = self;
        lines.feed(piece, |stream, line| {
            if wanted.is_some_and(|wanted| wanted != stream) {
                return None;
            }
            let text = line.text();
            let found = find(regex, line, &text);
            *last_line = Some(text);
            found
        })
    }

    /// How much of the run it has seen.
    pub(crate) fn seen(&self) -> u64 {
        self.seen
    }

    /// What it has seen instead, for people.
    pub(crate) fn nothing(&self) -> String {
        match &self.last_line {
            Some(line) => format!("no line matches; the last one is {line:?}"),
            None => "it has written nothing".to_owned(),
        }
    }
}

fn find(regex: &Regex, line: &Line, text: &str) -> Option<Found> {
    let captures = regex.captures(text)?;
    let whole = captures.get(0)?;
    let groups = captures.iter().map(|group| group.map(|group| group.as_str().to_owned())).collect();
    Some(Found { line: text.to_owned(), groups, end: line.place_after(whole.end()) })
}

impl fmt::Debug for Search {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Search").field("regex", &self.regex.as_str()).field("seen", &self.seen).finish_non_exhaustive()
    }
}
