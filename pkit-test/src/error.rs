//! The one error: what happened in a line, then the facts.

use std::borrow::Cow;
use std::error;
use std::fmt;
use std::io;

use crate::exit::Exit;

mod bytes;

/// What a fallible function of this crate returns.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why something did not work.
///
/// The text is made for people: one line that says what happened, then the facts, aligned. `Debug` prints the same, so
/// that `unwrap()` and `fn main() -> pkit_test::Result<()>` show it whole. Where a caller may act on the reason, there
/// is a question to ask ([`is_timeout`](Error::is_timeout) and the others); the texts may change.
///
/// ```
/// let error = pkit_test::simple("redis-servr").start().unwrap_err();
/// assert!(error.is_not_found());
/// assert!(error.to_string().starts_with("`redis-servr` was not started: program `redis-servr` is in no directory of PATH"));
/// ```
pub struct Error {
    inner: Box<Inner>,
}

struct Inner {
    kind: Kind,
    title: String,
    facts: Vec<Fact>,
    exit: Option<Exit>,
    also: Vec<Error>,
    source: Option<Box<dyn error::Error + Send + Sync>>,
}

struct Fact {
    label: Cow<'static, str>,
    text: String,
}

/// The ways to go wrong. Two that read alike are still two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A spec that cannot mean anything: command, hole, regex, URL, timeout.
    Spec,
    NotFound,
    NotExecutable,
    Cwd,
    User,
    Cycle,
    UnknownDependency,
    ExitedEarly,
    Timeout,
    PortTaken,
    NoPort,
    ForeignListener,
    Died,
    Unexpected,
    HadToKill,
    /// Started again too often.
    GivenUp,
    StillAlive,
    Callback,
    /// A method that does not fit the state of the process.
    State,
    /// One that others would feel who share the process.
    Shared,
    Cancelled,
    GuardianLost,
    /// A key of a state that is not there.
    Absent,
    /// A value that is of another type than is wanted.
    WrongType,
    /// A state whose server is gone.
    StateGone,
    /// A change that others were always quicker than.
    Contended,
    /// A transaction whose closure returned an error.
    RolledBack,
    /// A meeting that somebody else has left, or closed.
    Broken,
    Closed,
    /// More changes than are kept for a watch.
    Overflow,
    /// Values that are larger than a state may be.
    TooLarge,
    Unsupported,
    System,
    /// Somebody else's.
    Other,
}

impl Error {
    pub(crate) fn new(kind: Kind, title: impl Into<String>) -> Error {
        let title = title.into();
        Error { inner: Box::new(Inner { kind, title, facts: Vec::new(), exit: None, also: Vec::new(), source: None }) }
    }

    /// An error in words of your own, for an [`Executor`](crate::Executor) that has its own ways to fail.
    ///
    /// ```
    /// let error = pkit_test::Error::other("the migration left table `users` empty");
    /// assert_eq!(error.to_string(), "the migration left table `users` empty");
    /// ```
    #[must_use]
    pub fn other(what: impl Into<String>) -> Error {
        Error::new(Kind::Other, what)
    }

    /// A refusal of the operating system, while we were doing something.
    pub(crate) fn system(doing: impl fmt::Display, error: io::Error) -> Error {
        let mut made = Error::new(Kind::System, format!("{doing}: {error}"));
        made.inner.source = Some(error.into());
        made
    }

    /// Somebody else's error is why.
    #[must_use]
    pub(crate) fn because(mut self, source: Box<dyn error::Error + Send + Sync>) -> Error {
        self.inner.source = Some(source);
        self
    }

    /// Adds a line. A fact without text is left out.
    #[must_use]
    pub(crate) fn fact(mut self, label: impl Into<Cow<'static, str>>, text: impl Into<String>) -> Error {
        let text = text.into();
        if !text.is_empty() {
            self.inner.facts.push(Fact { label: label.into(), text });
        }
        self
    }

    #[must_use]
    pub(crate) fn with_exit(mut self, exit: Exit) -> Error {
        self.inner.exit = Some(exit);
        self.fact("exit", exit.to_string())
    }

    /// How the process ended, where the text says so already.
    #[must_use]
    pub(crate) fn knowing_exit(mut self, exit: Option<Exit>) -> Error {
        self.inner.exit = exit;
        self
    }

    /// Adds what went wrong besides.
    #[must_use]
    pub(crate) fn and(mut self, also: impl IntoIterator<Item = Error>) -> Error {
        self.inner.also.extend(also);
        self
    }

    /// One error out of several, or none.
    pub(crate) fn all(errors: impl IntoIterator<Item = Error>) -> Option<Error> {
        let mut errors = errors.into_iter();
        let first = errors.next()?;
        Some(first.and(errors))
    }

    /// What happened, in a line.
    pub(crate) fn title(&self) -> &str {
        &self.inner.title
    }

    pub(crate) fn kind(&self) -> Kind {
        self.inner.kind
    }

    /// The program does not exist: no such file, nothing of that name in `PATH`, a binary that was not built.
    ///
    /// ```
    /// let error = pkit_test::Spec::program("/opt/nothing/here").start().unwrap_err();
    /// assert!(error.is_not_found());
    /// ```
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.inner.kind == Kind::NotFound
    }

    /// A deadline passed: of a start, of a stop, of a wait for output. Or our own helper processes did not answer in
    /// time.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = pkit_test::simple("sleep 60").start()?;
    /// let error = sleeper.wait_for_output("ready", Duration::from_millis(50)).unwrap_err();
    /// assert!(error.is_timeout());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        matches!(self.inner.kind, Kind::Timeout | Kind::StillAlive)
    }

    /// The process ended where it should not have: before it was ready, before it wrote what was waited for, or during
    /// the test. Also where it should have ended and did not: [`Spec::expect_exit`](crate::Spec::expect_exit). Or it ended
    /// more often than its [`Supervision`](crate::Supervision) allows.
    ///
    /// ```
    /// let error = pkit_test::output("sh -c 'echo no config >&2; exit 78'", "^ready$").start().unwrap_err();
    /// assert!(error.is_exit());
    /// assert!(error.to_string().contains("no config"));
    /// ```
    #[must_use]
    pub fn is_exit(&self) -> bool {
        matches!(self.inner.kind, Kind::ExitedEarly | Kind::Died | Kind::Unexpected | Kind::GivenUp)
    }

    /// A port is in use: by a program that listens on it, or by another test.
    ///
    /// ```
    /// let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// let taken = listener.local_addr().unwrap().port();
    /// let error = pkit_test::tcp("python3 -m http.server --bind {host} {port}", taken).start().unwrap_err();
    /// assert!(error.is_port_taken());
    /// assert!(error.to_string().contains(&format!("pid {}", std::process::id())));
    /// ```
    #[must_use]
    pub fn is_port_taken(&self) -> bool {
        matches!(self.inner.kind, Kind::PortTaken | Kind::ForeignListener)
    }

    /// The spec itself is wrong, or the stack around it: it cannot be started on any machine.
    ///
    /// ```
    /// assert!(pkit_test::simple("sh -c 'echo").start().unwrap_err().is_spec());
    /// assert!(pkit_test::output("cat", "(").start().unwrap_err().is_spec());
    /// assert!(pkit_test::simple("app --db {db.addr}").start().unwrap_err().is_spec());
    /// ```
    #[must_use]
    pub fn is_spec(&self) -> bool {
        matches!(self.inner.kind, Kind::Spec | Kind::Cycle | Kind::UnknownDependency)
    }

    /// The method does not fit the state of the process: a start while it runs, a signal after it ended.
    ///
    /// ```
    /// use pkit_test::{Signal, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let job = simple("true").start()?;
    /// job.wait()?;
    /// assert!(job.signal(Signal::Hup).unwrap_err().is_state());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_state(&self) -> bool {
        self.inner.kind == Kind::State
    }

    /// One of the two processes of ours above it was killed, and the process with it: the guardian, which owns all that
    /// a test binary starts, or its shim, which is the parent of this process alone.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let rude = pkit_test::simple("sh -c 'read line; kill -KILL $PPID; sleep 60'").start()?;
    /// let error = rude.write_stdin("now\n").and_then(|()| rude.wait()).unwrap_err();
    /// assert!(error.is_guardian_lost());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_guardian_lost(&self) -> bool {
        self.inner.kind == Kind::GuardianLost
    }

    /// The process is [shared](crate::Spec::shared) with other tests of the run, which would feel what was asked for.
    ///
    /// ```
    /// use pkit_test::simple;
    /// # fn main() -> pkit_test::Result<()> {
    /// let sleeper = simple("sleep 60").shared().start()?;
    /// assert!(sleeper.kill().unwrap_err().is_shared());
    /// assert!(sleeper.is_alive());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.inner.kind == Kind::Shared
    }

    /// How the process ended that this error is about, where it did.
    ///
    /// ```
    /// let error = pkit_test::output("sh -c 'exit 78'", "^ready$").start().unwrap_err();
    /// assert_eq!(error.exit().and_then(|exit| exit.code()), Some(78));
    /// ```
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.inner.exit
    }
}

/// Labels are padded to this, so that the facts form a column.
const LABEL_WIDTH: usize = 8;

/// How much of one line is shown: enough for a long command, not for an endless one.
const LINE_SHOWN_BYTES: usize = 4096;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.inner.title)?;
        for fact in &self.inner.facts {
            let mut lines = fact.text.lines().map(shortened);
            let first = lines.next().unwrap_or_default();
            // One that is longer than the column still ends before its text.
            write!(f, "\n  {:<width$} {first}", format!("{}:", fact.label), width = LABEL_WIDTH - 1)?;
            for line in lines {
                write!(f, "\n  {:LABEL_WIDTH$}{line}", "")?;
            }
        }
        for also in &self.inner.also {
            write!(f, "\n{also}")?;
        }
        Ok(())
    }
}

/// A line that people can still read: its beginning, which says what it is, and its end.
fn shortened(line: &str) -> Cow<'_, str> {
    let half = |limit: usize| (0..=limit).rev().find(|at| line.is_char_boundary(*at)).unwrap_or(0);
    if line.len() <= LINE_SHOWN_BYTES {
        return line.into();
    }
    let (head, tail) = (half(LINE_SHOWN_BYTES / 2), half(line.len() - LINE_SHOWN_BYTES / 2));
    format!("{} … ({} bytes) … {}", &line[..head], tail - head, &line[tail..]).into()
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Error {
    fn source(&self) -> Option<&(dyn error::Error + 'static)> {
        self.inner.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_form_a_column() {
        let error = Error::new(Kind::Timeout, "`api` was not ready in time")
            .fact("spec", "tcp(\"api\", 0)")
            .fact("empty", "")
            .fact("last push", "1 s before")
            .fact("stderr", "one\ntwo");
        assert_eq!(
            format!("{error:?}"),
            "`api` was not ready in time\n  spec:   tcp(\"api\", 0)\n  last push: 1 s before\n  stderr: one\n          two",
        );
    }
}
