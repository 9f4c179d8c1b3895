//! What a handle knows of the output.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Process;
use super::core::Core;
use super::end::with_last_words;
use crate::config::{deadline_in, scaled};
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::guardian::run::{Phase, Run};
use crate::output::{LogFiles, Stream};
use crate::ready::{Found, Search, Seen};

/// A place in the output of a run, right behind a match of
/// [`wait_for_output`](crate::Process::wait_for_output), and what matched there.
///
/// ```
/// use std::time::Duration;
/// # fn main() -> pkit_test::Result<()> {
/// let app = pkit_test::simple("sh -c 'echo listening on 4711, 2 workers; sleep 60'").start()?;
/// let mark = app.wait_for_output(r"on (\d+), (\d+)", Duration::from_secs(10))?;
/// assert_eq!((mark.group(1), mark.group(2)), (Some("4711"), Some("2")));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    run: u32,
    end: u64,
    line: String,
    groups: Vec<Option<String>>,
}

impl Mark {
    /// The line that matched, as far as it was written by then, without its end of line.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let app = pkit_test::simple("sh -c 'echo warm-up took 3 ms; sleep 60'").start()?;
    /// let mark = app.wait_for_output("took", Duration::from_secs(10))?;
    /// assert_eq!(mark.line(), "warm-up took 3 ms");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// What a group of the regex matched; group 0 is the whole match. `None` where there is no such group, or it took
    /// no part in the match.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let app = pkit_test::simple("sh -c 'echo warm-up took 3 ms; sleep 60'").start()?;
    /// let mark = app.wait_for_output(r"took (\d+) (ms|s)( at all)?", Duration::from_secs(10))?;
    /// assert_eq!((mark.group(0), mark.group(1)), (Some("took 3 ms"), Some("3")));
    /// assert_eq!((mark.group(3), mark.group(4)), (None, None));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn group(&self, index: usize) -> Option<&str> {
        self.groups.get(index)?.as_deref()
    }
}

impl Process {
    /// What is kept of its standard output since the current run began. Bytes that are no UTF-8 are replaced.
    ///
    /// All that it wrote before the call is there. What is kept is the newest 256 to 512 MiB of both streams together.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let greeter = pkit_test::simple("sh -c 'echo hello; echo oops >&2'").start()?;
    /// greeter.wait()?;
    /// assert_eq!(greeter.stdout(), "hello\n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stdout(&self) -> String {
        self.core.text(Some(Stream::Out))
    }

    /// What is kept of its standard error since the current run began, as [`stdout`](Process::stdout).
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let greeter = pkit_test::simple("sh -c 'echo hello; echo oops >&2'").start()?;
    /// greeter.wait()?;
    /// assert_eq!(greeter.stderr(), "oops\n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn stderr(&self) -> String {
        self.core.text(Some(Stream::Err))
    }

    /// What is kept of both, in order of arrival.
    ///
    /// Each stream is a pipe of its own, so what is written to both at almost the same time may arrive in either order.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let greeter = pkit_test::simple("sh -c 'echo hello; read line; echo oops >&2'").start()?;
    /// greeter.wait_for_output("hello", Duration::from_secs(10))?;
    /// greeter.write_stdin("\n")?;
    /// greeter.wait()?;
    /// assert_eq!(greeter.output(), "hello\noops\n");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn output(&self) -> String {
        self.core.text(None)
    }

    /// The file that its output is written to, both streams in order of arrival. It is removed with the handle, unless
    /// the test fails or `PKIT_OUTPUT` is `always`. Each run has a file of its own;
    /// of one that is started again and again the last 32 files stay.
    ///
    /// Of more than 512 MiB only the newest part is kept; the older half of that is in a file with `.1` at its end.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let greeter = pkit_test::simple("sh -c 'echo hello; echo oops >&2'").start()?;
    /// greeter.wait()?;
    /// let log = std::fs::read_to_string(greeter.log_path()).unwrap();
    /// assert_eq!(log.len(), "hello\noops\n".len());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn log_path(&self) -> PathBuf {
        self.core.log_path()
    }

    /// Waits until a line of its output, finished or not, matches a regex; what it wrote before counts.
    ///
    /// The mark is the place right behind the match, for [`wait_for_output_after`](Process::wait_for_output_after).
    /// Both streams are looked at, each line by itself. The syntax is that of the `regex-lite` crate; there are no
    /// holes in it. `PKIT_TIMEOUT_SCALE` multiplies the timeout. A line of more than 64 KiB is looked at in pieces.
    ///
    /// A program that writes a line in pieces may be caught in the middle of it, and `$` matches there. A regex with
    /// text behind what you want to know, as in `port (\d+),`, waits for all of it.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let seconds = Duration::from_secs(10);
    /// let echo = pkit_test::simple("cat").start()?;
    /// echo.write_stdin("ping 1\nping 2\n")?;
    /// let first = echo.wait_for_output(r"ping (\d)", seconds)?;
    /// assert_eq!(first.group(1), Some("1"));
    /// let second = echo.wait_for_output_after(&first, r"ping (\d)", seconds)?;
    /// assert_eq!(second.line(), "ping 2");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When the time is over, when the process has ended without it, or when the regex is invalid.
    pub fn wait_for_output(&self, regex: impl AsRef<str>, timeout: Duration) -> Result<Mark> {
        self.search(regex.as_ref(), timeout, 0)
    }

    /// Waits for a match behind a mark. What matched for the mark does not count again, the rest of its line does.
    ///
    /// A mark of an earlier run is before everything in this one.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let seconds = Duration::from_secs(10);
    /// let cat = pkit_test::simple("cat").start()?;
    /// cat.write_stdin("ready\n")?;
    /// let ready = cat.wait_for_output("ready", seconds)?;
    /// cat.write_stdin("not ready\nready again\n")?;
    /// assert_eq!(cat.wait_for_output_after(&ready, "^ready", seconds)?.line(), "ready again");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`wait_for_output`](Process::wait_for_output).
    pub fn wait_for_output_after(&self, mark: &Mark, regex: impl AsRef<str>, timeout: Duration) -> Result<Mark> {
        // A mark of an earlier run is before everything in this one.
        let from = if mark.run == self.core.life(|life| life.starts) { mark.end } else { 0 };
        self.search(regex.as_ref(), timeout, from)
    }

    fn search(&self, regex: &str, timeout: Duration, from: u64) -> Result<Mark> {
        let run = self.core.run_or_error("wait for its output")?;
        let started = self.core.life(|life| life.starts);
        let search = Search::compiled(&run, regex, from).map_err(|why| {
            let title = format!("cannot wait for the output of `{}`: {why}", self.name());
            Error::new(Kind::Spec, title)
        })?;
        wait_for(&self.core, &run, search, regex, scaled(timeout)).map(|found| Mark {
            run: started,
            end: found.end,
            line: found.line,
            groups: found.groups,
        })
    }
}

impl Core {
    /// What is kept of the current run, all that was written before this call included.
    fn text(&self, only: Option<Stream>) -> String {
        self.run().map(|run| run.text(only)).unwrap_or_default()
    }

    pub(super) fn log_path(&self) -> PathBuf {
        let Some(run) = self.run() else { return PathBuf::new() };
        let path = LogFiles::at(run.log()).data();
        if !path.exists() {
            // It is made with the first byte, and a path that can be read is promised before. Where it cannot be made
            // now, reading it says why.
            let _ = std::fs::OpenOptions::new().create(true).append(true).open(&path);
        }
        path
    }
}

/// Waits until the search finds something.
fn wait_for(core: &Arc<Core>, run: &Run, mut search: Search, regex: &str, timeout: Duration) -> Result<Found> {
    let deadline = deadline_in(timeout);
    loop {
        // The order matters: first whether it is over, then the log. What is written before the end is then seen.
        let is_over = run.phase().is_over();
        let seen = search
            .look()
            .map_err(|error| Error::system(format_args!("the log of `{}` was not read", core.place().name), error))?;
        match seen {
            Seen::Match(found) => return Ok(found),
            // What it wrote before its end is looked at to the end, which there is.
            Seen::Some if is_over || Instant::now() < deadline => continue,
            Seen::Some | Seen::All if is_over || Instant::now() >= deadline => {
                let late = (!is_over).then_some(timeout);
                return Err(not_found(core, run, &search, regex, late));
            }
            Seen::Some | Seen::All => {}
        }
        let seen = search.seen();
        run.watch(seen);
        run.wait_until(Some(deadline), |state| (state.output_end > seen || state.phase.is_over()).then_some(()));
    }
}

fn not_found(core: &Arc<Core>, run: &Run, search: &Search, regex: &str, late: Option<Duration>) -> Error {
    if let lost @ Phase::Lost { .. } = run.phase() {
        return core.ended_error("wait for its output", lost).fact("saw", search.nothing());
    }
    let name = &core.place().name;
    let (kind, title) = match late {
        None => (Kind::Unexpected, format!("`{name}` has ended and never wrote `{regex}`")),
        Some(timeout) => (Kind::Timeout, format!("`{name}` has not written `{regex}` within {}", in_words(timeout))),
    };
    let error = core.about(Error::new(kind, title), Some(run)).fact("saw", search.nothing());
    let error = run.phase().exit().into_iter().fold(error, Error::with_exit);
    with_last_words(error, run)
}
