//! What the server refuses, and whose time is over, in the words of an error; and the questions to ask of it.

use std::error;
use std::time::Duration;

use super::party::Party;
use super::protocol::{Refusal, Reply};
use super::value::{too_large, with_value};
use crate::duration::in_words;
use crate::error::{Error, Kind};
use crate::function::codec::size;
use crate::limits::{STATE_TRIES, STATE_TURNS, TURN_LIMIT};

/// An answer that is not the one that was hoped for. `what` is a name for people, such as a key in quotes.
pub(super) fn unexpected(what: &str, reply: Reply) -> Error {
    match reply {
        Reply::Refused(refusal) => refused(what, refusal),
        Reply::Late { facts } => with_facts(Error::new(Kind::Timeout, format!("{what}: the time is over")), facts),
        other => {
            let title = format!("{what}: the state answered what was not asked");
            Error::new(Kind::Other, title).fact("answer", format!("{other:?}"))
        }
    }
}

/// The time is over: what has not happened within it.
pub(super) fn late(what: &str, timeout: Duration, facts: Vec<(String, String)>) -> Error {
    with_facts(Error::new(Kind::Timeout, format!("{what} within {}", in_words(timeout))), facts)
}

pub(super) fn absent(what: &str) -> Error {
    Error::new(Kind::Absent, format!("{what} is absent"))
}

/// Of one who wants to change it.
pub(super) fn absent_for_update(what: &str) -> Error {
    absent(what).fact("hint", "`update_or` has a value to begin with; `wait_present` waits until somebody has set it")
}

/// Of one who reads what others may still be about to set.
pub(super) fn absent_yet(what: &str) -> Error {
    absent(what)
        .fact("hint", "`wait_present` waits until somebody has set it; `get` has `None` for it, `get_or` a default")
}

/// Something was quicker each time.
pub(super) fn contended(what: &str) -> Error {
    let tries = format!("{STATE_TRIES}, and {STATE_TURNS} turns of {} at most", in_words(TURN_LIMIT));
    Error::new(Kind::Contended, format!("{what} was given up: what it had read was changed meanwhile, each time"))
        .fact("tries", tries)
}

/// It had its turns, in which others wait.
pub(super) fn contended_in_turn(what: &str) -> Error {
    contended(what).fact(
        "hint",
        "in a turn others wait: either the closure is slower, or it changes what it has read by a `State`",
    )
}

/// Inside of a transaction that will be run again.
pub(super) fn moved(what: &str) -> Error {
    Error::new(Kind::Contended, format!("{what} is run again: something that it sees was changed meanwhile"))
}

pub(super) fn out_of_range(what: &str, held: i64, by: i64) -> Error {
    Error::new(Kind::Other, format!("{what} is {held}, and with {by:+} it would be out of its range"))
}

/// The closure wants it so. An error of ours comes out as it is: it says best what has happened.
pub(super) fn rolled_back(what: &str, why: Box<dyn error::Error + Send + Sync>) -> Error {
    match why.downcast::<Error>() {
        Ok(own) => *own,
        Err(why) => Error::new(Kind::RolledBack, format!("{what}: {why}")).because(why),
    }
}

/// A name, number or list that cannot mean anything.
pub(super) fn meaningless(why: String) -> Error {
    Error::new(Kind::Spec, why)
}

fn with_facts(error: Error, facts: Vec<(String, String)>) -> Error {
    facts.into_iter().fold(error, |error, (label, text)| error.fact(label, text))
}

fn refused(what: &str, refusal: Refusal) -> Error {
    match refusal {
        Refusal::Malformed(why) => Error::new(Kind::Other, format!("{what}: the state did not understand it: {why}")),
        Refusal::OtherProtocol(other) => Error::new(
            Kind::Other,
            format!("the state speaks version {other} of its protocol, and this process another one"),
        ),
        Refusal::NotANumber { held } => {
            let title = format!("{what} is a `{}`, and no whole number to count with", held.value.type_name);
            with_value(Error::new(Kind::WrongType, title), Some(&held))
        }
        Refusal::OutOfRange { held, by } => out_of_range(what, held, by),
        Refusal::TooLarge { bytes, limit } => too_large(what, size(limit)).fact("size", size(bytes)),
        Refusal::Differs { made, asked, by } => {
            let title = format!("{what} was made for {made}, and is opened for {asked}");
            Error::new(Kind::State, title)
                .fact("made by", Party::of(&by).to_string())
                .fact("hint", "all who open it say the same number, that of all")
        }
        Refusal::Broken { by, why } => {
            Error::new(Kind::Broken, format!("{what} is broken: {} has left it", Party::of(&by))).fact("why", why)
        }
        Refusal::Closed { by } => Error::new(Kind::Closed, format!("{what} is closed, by {}", Party::of(&by))),
        Refusal::Overflow { missed } => overflow(what, missed),
    }
}

fn overflow(what: &str, missed: u64) -> Error {
    let title = format!("{what} has missed {missed} changes: more came than are kept for who does not ask");
    Error::new(Kind::Overflow, title).fact("hint", "`.live()` keeps the newest of each key only, and never misses that")
}

/// What is asked of an error that is about a state.
impl Error {
    /// The key is not there.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// assert!(state.require::<u32>("n").unwrap_err().is_absent());
    /// assert!(state.update("n", |n: &mut u32| *n += 1).unwrap_err().is_absent());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_absent(&self) -> bool {
        self.kind() == Kind::Absent
    }

    /// The value cannot be read as the type that was asked for.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &7_u32)?;
    /// let error = state.get::<String>("n").unwrap_err();
    /// assert!(error.is_wrong_type());
    /// assert!(error.to_string().starts_with("`n` is a `u32`, and was read as `alloc::string::String`"));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_wrong_type(&self) -> bool {
        self.kind() == Kind::WrongType
    }

    /// The server of the state is gone: it was killed, or its owner has ended it.
    ///
    /// ```
    /// use pkit_test::State;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let elsewhere = State::at(state.path())?;
    /// drop(state);
    /// assert!(elsewhere.get::<u32>("n").unwrap_err().is_state_gone());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_state_gone(&self) -> bool {
        self.kind() == Kind::StateGone
    }

    /// An update or a transaction was overtaken by others whenever it was tried, and took too long when it was its turn.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("n", &0)?;
    /// let done = state.transaction(|tx| {
    ///     let n = tx.require::<u32>("n")?;
    ///     state.set("n", &n)?; // It overtakes itself.
    ///     tx.set("n", &(n + 1))?;
    ///     Ok(())
    /// });
    /// assert!(done.unwrap_err().is_contended());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_contended(&self) -> bool {
        self.kind() == Kind::Contended
    }

    /// The closure of an update or a transaction has returned an error, so that nothing was changed. That error is the
    /// [`source`](std::error::Error::source) of this one.
    ///
    /// ```
    /// use std::error::Error;
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// state.set("left", &1)?;
    /// let taken = state.update("left", |left: &mut u32| left.checked_sub(2).map(|rest| *left = rest).ok_or("too few"));
    /// let error = taken.unwrap_err();
    /// assert!(error.is_rolled_back());
    /// assert_eq!(error.source().unwrap().to_string(), "too few");
    /// assert_eq!(state.get("left")?, Some(1));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_rolled_back(&self) -> bool {
        self.kind() == Kind::RolledBack
    }

    /// Whom one has met at a barrier has left it: died, or not waited long enough.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{State, function};
    ///
    /// fn dies(state: State) {
    ///     let _barrier = state.barrier("start", 2).unwrap();
    ///     state.set("is there", &true).unwrap();
    ///     std::process::abort();
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = State::new()?;
    /// let barrier = state.barrier("start", 2)?;
    /// let _other = function(dies, state.clone()).start()?;
    /// state.wait_present::<bool>("is there", Duration::from_secs(10))?;
    /// let error = barrier.wait(Duration::from_secs(10)).unwrap_err();
    /// assert!(error.is_broken(), "{error}");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.kind() == Kind::Broken
    }

    /// The queue was closed: it is empty and will be so, or nothing can be pushed any more.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let jobs = state.queue::<u32>("jobs");
    /// jobs.close()?;
    /// assert!(jobs.try_pop().unwrap_err().is_closed());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.kind() == Kind::Closed
    }

    /// A watch was not asked for so long that changes were not kept for it any more. It goes on with those that come after.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let mut changes = state.watch(&["n"])?;
    /// for n in 0..70_000 {
    ///     state.set("n", &n)?;
    /// }
    /// let has_missed = |change: &pkit_test::Result<_>| change.as_ref().is_err_and(|error| error.is_overflow());
    /// assert!(changes.by_ref().take(70_000).any(|change| has_missed(&change)));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_overflow(&self) -> bool {
        self.kind() == Kind::Overflow
    }

    /// A value is larger than a state keeps one, or all of them together would be.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let state = pkit_test::State::new()?;
    /// let error = state.set("all", &"x".repeat(65 << 20)).unwrap_err();
    /// assert!(error.is_too_large());
    /// assert_eq!(error.to_string(), "`all` is larger than 64 MiB, which is the limit");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn is_too_large(&self) -> bool {
        self.kind() == Kind::TooLarge
    }
}
