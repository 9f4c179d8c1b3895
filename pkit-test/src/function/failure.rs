//! Why there is no result.

use std::error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::duration::in_words;
use crate::error::{Error, Kind};
use crate::exit::Exit;
use crate::parcel::{Outcome, PanicNote, Place};
use crate::signal::Signal;

use super::codec::size;

mod item;

/// Why a function process has no result: it panicked, exited, was killed, returned what cannot be sent, and so on.
///
/// As with [`Error`] the text is made for people, `Debug` prints the same, and where a caller may act on the reason there is a
/// question to ask. With `?` it becomes an [`Error`].
///
/// ```
/// fn divide((a, b): (u32, u32)) -> u32 {
///     a / b
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let failure = pkit_test::function(divide, (1, 0)).start()?.join().unwrap_err();
/// assert!(failure.is_panic());
/// assert_eq!(failure.message(), "attempt to divide by zero");
/// assert!(failure.to_string().starts_with("`divide` panicked at "));
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Failure {
    inner: Arc<Inner>,
}

#[derive(Clone)]
struct Inner {
    reason: Reason,
    title: String,
    facts: Vec<(&'static str, String)>,
    exit: Option<Exit>,
    panic: Option<Box<PanicNote>>,
    /// Of a pool: which item it was.
    item: Option<u64>,
}

/// The ways to have no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Panic,
    Exit,
    Signal,
    NotSerialized,
    TooLarge,
    NotUnderstood,
    Timeout,
    GuardianLost,
    Dropped,
    Other,
}

/// What is known of a function process that is gone.
#[derive(Debug)]
pub(crate) struct Ran<'a> {
    pub(crate) name: &'a str,
    pub(crate) exit: Exit,
    pub(crate) outcome: Outcome,
    pub(crate) panic: Option<PanicNote>,
    /// Which stream, and the last lines in it.
    pub(crate) last_words: Option<(&'static str, String)>,
}

/// The name that the first thread has in a note.
pub(super) const MAIN_THREAD: &str = "main";

/// How a process exits after a panic, as any Rust program does.
pub(super) const PANIC_CODE: i32 = 101;

impl Failure {
    /// Why a process that is gone has no result. One that arrived is to be read first.
    pub(crate) fn of(ran: Ran<'_>) -> Failure {
        let Ran { name, exit, outcome, panic, last_words } = ran;
        let inner = match outcome {
            Outcome::Nothing if is_end_by_panic(exit, panic.as_ref()) => Inner::panicked(name, panic),
            Outcome::Nothing => Inner::ended(name, exit, "before it returned").with_caught(panic),
            // What runs at the exit of a process can still go wrong.
            Outcome::Returned(_) => Inner::ended(name, exit, "after it had returned"),
            outcome => Inner::said(name, outcome, panic),
        };
        let (stream, words) = last_words.unwrap_or_default();
        inner.with_exit(exit).fact(stream, words).into()
    }

    /// The result arrived, and is no such thing when it is read.
    pub(crate) fn unreadable(name: &str, why: &str) -> Failure {
        Inner::new(Reason::NotSerialized, format!("`{name}` returned what cannot be read back: {why}")).into()
    }

    /// The arguments of a call cannot be sent.
    pub(crate) fn arguments(name: &str, why: &str) -> Failure {
        let title = format!("`{name}` was not called, since its arguments cannot be serialized: {why}");
        Inner::new(Reason::NotSerialized, title).into()
    }

    /// It is still running when its result was to be there.
    pub(crate) fn timeout(name: &str, limit: Duration) -> Failure {
        Inner::new(Reason::Timeout, format!("`{name}` is still running after {}", in_words(limit))).into()
    }

    /// It was not started, or it cannot be known what became of it.
    pub(crate) fn error(error: &Error) -> Failure {
        let reason = match error.is_guardian_lost() {
            true => Reason::GuardianLost,
            false if error.is_timeout() => Reason::Timeout,
            false => Reason::Other,
        };
        Inner { exit: error.exit(), ..Inner::new(reason, error.to_string()) }.into()
    }

    /// The function panicked, or the process aborted because of a panic.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { panic!("boom") }, ()).start()?.join().unwrap_err();
    /// assert!(failure.is_panic());
    /// assert_eq!(failure.exit().and_then(|exit| exit.code()), Some(101));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_panic(&self) -> bool {
        self.inner.reason == Reason::Panic
    }

    /// The process exited before the function returned, with whatever code.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { std::process::exit(3) }, ()).start()?.join().unwrap_err();
    /// assert!(failure.is_exit());
    /// assert_eq!(failure.message(), "`main-closure` ended with exit code 3 before it returned");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_exit(&self) -> bool {
        self.inner.reason == Reason::Exit
    }

    /// A signal killed the process before the function returned.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let forever = pkit_test::function(|| -> () { loop { std::thread::park() } }, ()).start()?;
    /// forever.kill()?;
    /// let failure = forever.join().unwrap_err();
    /// assert!(failure.is_signal());
    /// assert_eq!(failure.exit().and_then(|exit| exit.signal()), Some(9));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_signal(&self) -> bool {
        self.inner.reason == Reason::Signal
    }

    /// The result, or the arguments of a call, cannot be serialized, or cannot be read back.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let nothing = pkit_test::function(|| Some(None::<u8>), ()).start()?;
    /// let failure = nothing.join().unwrap_err();
    /// assert!(failure.is_unserializable());
    /// assert!(failure.message().contains("cannot be told from `None`"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_unserializable(&self) -> bool {
        self.inner.reason == Reason::NotSerialized
    }

    /// The result is larger than 1 GiB, or than the process could map.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let small = pkit_test::function(|| "x".repeat(1000), ()).start()?;
    /// assert!(small.join().is_ok_and(|text| text.len() == 1000));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.inner.reason == Reason::TooLarge
    }

    /// The arguments were something else when they were read in the process: their `Deserialize` does not fit their
    /// `Serialize`.
    ///
    /// ```
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Serialize, Deserialize)]
    /// struct OneWay(#[serde(serialize_with = "as_text")] u8);
    ///
    /// fn as_text<S: serde::Serializer>(number: &u8, serializer: S) -> Result<S::Ok, S::Error> {
    ///     serializer.serialize_str(&number.to_string())
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let error = pkit_test::function(|_: OneWay| (), OneWay(1)).start().unwrap_err();
    /// assert!(error.to_string().contains("did not understand its arguments"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_not_understood(&self) -> bool {
        self.inner.reason == Reason::NotUnderstood
    }

    /// It was still running when the time was over.
    ///
    /// ```
    /// use std::time::Duration;
    /// # fn main() -> pkit_test::Result<()> {
    /// let forever = pkit_test::function(|| loop { std::thread::park() }, ()).start()?;
    /// assert!(matches!(forever.join_timeout(Duration::from_millis(20)), Ok(None::<()>)));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_timeout(&self) -> bool {
        self.inner.reason == Reason::Timeout
    }

    /// One of the two processes of ours above it was killed, as in [`Error::is_guardian_lost`].
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { panic!("boom") }, ()).start()?.join().unwrap_err();
    /// assert!(!failure.is_guardian_lost());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_guardian_lost(&self) -> bool {
        self.inner.reason == Reason::GuardianLost
    }

    /// The message of the panic; of another failure what happened, in a line.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { panic!("boom") }, ()).start()?.join().unwrap_err();
    /// assert_eq!(failure.message(), "boom");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn message(&self) -> &str {
        self.inner.panic.as_ref().map_or(&self.inner.title, |note| &note.message)
    }

    /// The source file in which it panicked. Unknown for other failures, for what was thrown by `resume_unwind`, and where the
    /// function has set a panic hook of its own; so are the line and the column.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { panic!("boom") }, ()).start()?.join().unwrap_err();
    /// assert!(failure.file().is_some_and(|file| file.ends_with(".rs")));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn file(&self) -> Option<&str> {
        self.place().map(|place| place.file.as_str())
    }

    /// The line in which it panicked.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let (line, panics) = (line!(), || -> () { panic!("boom") });
    /// let failure = pkit_test::function(panics, ()).start()?.join().unwrap_err();
    /// assert_eq!(failure.line(), Some(line));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        self.place().map(|place| place.line)
    }

    /// The column at which it panicked.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { panic!("boom") }, ()).start()?.join().unwrap_err();
    /// assert!(failure.column().is_some_and(|column| column > 1));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn column(&self) -> Option<u32> {
        self.place().map(|place| place.column)
    }

    /// The thread that panicked: `main` is the one that the function began in.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { panic!("boom") }, ()).start()?.join().unwrap_err();
    /// assert_eq!(failure.thread(), Some("main"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn thread(&self) -> Option<&str> {
        self.inner.panic.as_ref().map(|note| note.thread.as_str())
    }

    /// The stack at the panic, where `RUST_BACKTRACE` asks for it in the process.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let panics = pkit_test::function(|| -> () { panic!("boom") }, ()).env("RUST_BACKTRACE", "1").start()?;
    /// assert!(panics.join().unwrap_err().backtrace().is_some_and(|stack| stack.contains("0:")));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn backtrace(&self) -> Option<&str> {
        self.inner.panic.as_ref()?.backtrace.as_deref()
    }

    /// How the process ended, where it did.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { std::process::exit(3) }, ()).start()?.join().unwrap_err();
    /// assert_eq!(failure.exit().and_then(|exit| exit.code()), Some(3));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn exit(&self) -> Option<Exit> {
        self.inner.exit
    }

    /// Panics here, with all that is known of it.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let failure = pkit_test::function(|| -> () { panic!("boom") }, ()).start()?.join().unwrap_err();
    /// let panicked = std::panic::catch_unwind(|| failure.resume()).unwrap_err();
    /// assert!(panicked.downcast_ref::<String>().is_some_and(|text| text.contains(": boom")));
    /// # Ok(()) }
    /// ```
    ///
    /// # Panics
    ///
    /// Always.
    #[track_caller]
    pub fn resume(self) -> ! {
        panic!("{self}")
    }

    fn place(&self) -> Option<&Place> {
        self.inner.panic.as_ref()?.place.as_ref()
    }
}

fn not_serialized(name: &str, why: &str) -> String {
    format!("`{name}` returned what cannot be serialized: {why}")
}

/// Whether a process that could not say so ended by the panic that it has noted: nothing catches that, and it aborts.
fn is_end_by_panic(exit: Exit, panic: Option<&PanicNote>) -> bool {
    exit.signal() == Some(Signal::Abort.number()) && panic.is_some_and(|note| note.is_fatal)
}

impl Inner {
    fn new(reason: Reason, title: String) -> Inner {
        Inner { reason, title, facts: Vec::new(), exit: None, panic: None, item: None }
    }

    /// What the process has said itself.
    fn said(name: &str, outcome: Outcome, panic: Option<PanicNote>) -> Inner {
        match outcome {
            Outcome::Panicked => Inner::panicked(name, panic),
            Outcome::NotSerialized(why) => Inner::new(Reason::NotSerialized, not_serialized(name, &why)),
            Outcome::TooLarge { limit } => {
                Inner::new(Reason::TooLarge, format!("`{name}` returned more than {}", size(limit)))
            }
            Outcome::NotUnderstood(why) => {
                Inner::new(Reason::NotUnderstood, format!("`{name}` did not understand its arguments: {why}"))
            }
            Outcome::Returned(_) | Outcome::Nothing => Inner::new(Reason::Other, format!("`{name}` has said nothing")),
        }
    }

    fn panicked(name: &str, panic: Option<PanicNote>) -> Inner {
        let Some(note) = panic else { return Inner::new(Reason::Panic, format!("`{name}` panicked")) };
        let title = format!("`{name}` panicked{}", note.in_a_line());
        let thread = if note.thread == MAIN_THREAD { String::new() } else { note.thread.clone() };
        let stack = note.backtrace.as_deref().unwrap_or_default().trim_end().to_owned();
        let inner = Inner { panic: Some(Box::new(note)), ..Inner::new(Reason::Panic, title) };
        inner.fact("thread", thread).fact("stack", stack)
    }

    fn ended(name: &str, exit: Exit, when: &str) -> Inner {
        if exit.code().is_some() {
            return Inner::new(Reason::Exit, format!("`{name}` ended with {exit} {when}"));
        }
        Inner::new(Reason::Signal, format!("`{name}` was killed by {exit} {when}"))
    }

    /// A panic that has not ended it, as far as can be seen, may be the reason all the same.
    fn with_caught(self, panic: Option<PanicNote>) -> Inner {
        let noted = panic.map(|note| format!("there was one{}", note.in_a_line()));
        self.fact("panic", noted.unwrap_or_default())
    }

    fn with_exit(self, exit: Exit) -> Inner {
        // What the title says needs no word, nor does the usual end.
        let is_said = matches!(self.reason, Reason::Exit | Reason::Signal);
        let is_usual = matches!(exit.code(), Some(0 | PANIC_CODE));
        let shown = if is_said || is_usual { String::new() } else { exit.to_string() };
        Inner { exit: Some(exit), ..self.fact("exit", shown) }
    }

    /// A fact without text is left out.
    fn fact(mut self, label: &'static str, text: String) -> Inner {
        if !text.is_empty() {
            self.facts.push((label, text));
        }
        self
    }

    fn to_error(&self) -> Error {
        let kind = match self.reason {
            Reason::Exit | Reason::Signal | Reason::Panic => Kind::Died,
            Reason::Timeout => Kind::Timeout,
            Reason::GuardianLost => Kind::GuardianLost,
            Reason::NotSerialized | Reason::TooLarge | Reason::NotUnderstood | Reason::Other => Kind::Other,
            Reason::Dropped => Kind::State,
        };
        let error = Error::new(kind, self.title.clone());
        let error = error.fact("item", self.item.map(|item| item.to_string()).unwrap_or_default());
        self.facts.iter().fold(error, |error, (label, text)| error.fact(*label, text))
    }
}

impl From<Inner> for Failure {
    fn from(inner: Inner) -> Failure {
        Failure { inner: Arc::new(inner) }
    }
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Error {
        failure.inner.to_error().knowing_exit(failure.inner.exit)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.inner.to_error(), f)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl error::Error for Failure {}

#[cfg(test)]
mod tests;
