//! What a spec and a stack say about being started again.

use std::time::Duration;

use super::machine::End;
use crate::duration::in_words;
use crate::limits::{BACKOFF_FIRST, BACKOFF_LEAST, BACKOFF_MOST, RESTARTS, RESTARTS_PERIOD};

/// Whether a process is started again after an exit that nobody asked for, as in Erlang/OTP. For
/// [`Spec::supervise`](crate::Spec::supervise).
///
/// | | an exit with code 0 | any other exit |
/// |---|---|---|
/// | `permanent` | starts it again | starts it again |
/// | `transient` | is its end | starts it again |
/// | `temporary` | is its end, and fails the test | is its end, and fails the test |
///
/// A crash that the test causes with [`Process::signal`](crate::Process::signal) is such an exit, too. What the test
/// stops, kills or terminates stays down.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::{Signal, Supervision, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let worker = simple("sleep 60").supervise(Supervision::permanent()).start()?;
/// let first = worker.pid();
/// worker.signal(Signal::Kill)?;
/// assert_eq!(worker.wait_restart(0, Duration::from_secs(10))?, 1);
/// assert_ne!(worker.pid(), first);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it does nothing until a spec is given it: `.supervise(…)`"]
pub struct Supervision {
    when: When,
    intensity: Intensity,
    backoff: Option<Backoff>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum When {
    Always,
    AfterCrashes,
    Never,
}

/// How many restarts are allowed in which time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Intensity {
    pub(crate) most: u32,
    pub(crate) period: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Backoff {
    first: Duration,
    most: Duration,
}

impl Supervision {
    /// Started again after every exit that nobody asked for.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Supervision, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let job = simple("sh -c 'read line'").supervise(Supervision::permanent()).start()?;
    /// job.write_stdin("that was all\n")?;
    /// assert_eq!(job.wait_restart(0, Duration::from_secs(10))?, 1);
    /// assert!(job.exit().unwrap().success(), "it was well, and is wanted all the same");
    /// # Ok(()) }
    /// ```
    pub const fn permanent() -> Supervision {
        Supervision::new(When::Always)
    }

    /// Started again after every exit that is no success: another code than 0, or a signal.
    ///
    /// With [`expect_exit(code)`](crate::Spec::expect_exit) that code is the success, and 0 is none.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Supervision, sh, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// // Fails once, and then finds what it has left.
    /// let job = simple(sh("test -e {dir}/half-done || { touch {dir}/half-done; exit 1; }"))
    ///     .supervise(Supervision::transient())
    ///     .start()?;
    /// job.wait_restart(0, Duration::from_secs(10))?;
    /// assert!(job.wait()?.success());
    /// assert_eq!(job.restarts(), 1);
    /// # Ok(()) }
    /// ```
    pub const fn transient() -> Supervision {
        Supervision::new(When::AfterCrashes)
    }

    /// Never started again for an exit of its own, which is also how a process lives of which nothing is said.
    ///
    /// In a stack with another strategy than [`Strategy::OneForOne`] it goes down with the others and comes up with
    /// them.
    ///
    /// ```
    /// use pkit_test::{Supervision, orchestrated, simple};
    /// let job = simple("false").supervise(Supervision::temporary());
    /// let error = orchestrated([("job", job)], |stack| stack["job"].wait().map(drop)).unwrap_err();
    /// assert!(error.is_exit());
    /// ```
    pub const fn temporary() -> Supervision {
        Supervision::new(When::Never)
    }

    const fn new(when: When) -> Supervision {
        let intensity = Intensity { most: RESTARTS, period: RESTARTS_PERIOD };
        Supervision { when, intensity, backoff: None }
    }

    /// Gives it up when it would be started again more than `max` times in a `period`. If nothing is said that is 3
    /// times in 5 s: enough for a test that crashes it on purpose, and a crash loop is known within a second.
    ///
    /// What is given up is stopped for good, with its whole stack, and the test fails with the history. A handle by
    /// itself fails nothing: [`wait_restart`](crate::Process::wait_restart) returns the history as an error.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{Supervision, orchestrated, simple};
    /// let twice = Supervision::permanent().intensity(2, Duration::from_secs(60));
    /// let error = orchestrated([("job", simple("false").supervise(twice))], |stack| {
    ///     stack["job"].wait_restart(2, Duration::from_secs(10)).map(drop)
    /// })
    /// .unwrap_err();
    /// assert!(error.to_string().starts_with("`job` was given up: it may be started again 2 times in 60 s"));
    /// ```
    pub const fn intensity(mut self, max: u32, period: Duration) -> Supervision {
        self.intensity = Intensity { most: max, period };
        self
    }

    /// Waits before each restart: for `first`, and then twice as long each time, up to `most`. After a run that was up
    /// for the period of its [intensity](Supervision::intensity) it begins with `first` again.
    ///
    /// If nothing is said the first restart is at once, and the pauses after that grow from 50 ms to 5 s. A pause that
    /// is asked for is a millisecond at least, so that no crash loop can keep a processor busy.
    ///
    /// ```
    /// use std::time::{Duration, Instant};
    /// use pkit_test::{Signal, Supervision, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let pause = Duration::from_millis(100);
    /// let slowly = Supervision::permanent().backoff(pause, pause * 10);
    /// let worker = simple("sleep 60").supervise(slowly).start()?;
    /// let began = Instant::now();
    /// worker.signal(Signal::Kill)?;
    /// worker.wait_restart(0, Duration::from_secs(10))?;
    /// assert!(began.elapsed() >= pause);
    /// # Ok(()) }
    /// ```
    pub const fn backoff(mut self, first: Duration, most: Duration) -> Supervision {
        self.backoff = Some(Backoff { first, most });
        self
    }

    /// Whether it is ever started again for its own sake.
    pub(crate) fn is_some(self) -> bool {
        self.when != When::Never
    }

    /// Whether every exit of its own is one to be started again after.
    pub(crate) fn is_permanent(self) -> bool {
        self.when == When::Always
    }

    /// Whether this end is one to be started again after, where that code would be a success.
    pub(super) fn wants_back(self, end: End, success: i32) -> bool {
        let is_success = end.exit.and_then(|exit| exit.code()) == Some(success);
        !end.was_asked
            && match self.when {
                When::Always => true,
                When::AfterCrashes => !is_success,
                When::Never => false,
            }
    }

    pub(super) fn limit(self) -> Intensity {
        self.intensity
    }

    /// The pause before a restart that comes after so many others.
    pub(super) fn pause(self, before: u32) -> Duration {
        let (first, most, doublings) = match self.backoff {
            Some(Backoff { first, most }) => (first, most, before),
            None if before == 0 => return Duration::ZERO,
            None => (BACKOFF_FIRST, BACKOFF_MOST, before - 1),
        };
        let factor = 1_u32.checked_shl(doublings).unwrap_or(u32::MAX);
        first.saturating_mul(factor).min(most).max(BACKOFF_LEAST)
    }

    /// What cannot be meant.
    pub(crate) fn mistake(self) -> Option<String> {
        if let Some(why) = self.intensity.mistake() {
            return Some(why);
        }
        let Backoff { first, most } = self.backoff?;
        (first > most)
            .then(|| format!("its back-off begins with {} and is at most {}", in_words(first), in_words(most)))
    }
}

impl Intensity {
    pub(crate) fn mistake(self) -> Option<String> {
        self.period.is_zero().then(|| "an intensity with a period of zero allows any number of restarts".to_owned())
    }
}

/// Who is started again when a supervised process of a stack has ended, as in Erlang/OTP. For
/// [`Orchestra::strategy`](crate::Orchestra::strategy).
///
/// The order of a stack is that in which its members were written, but what one needs is before it. What was not up,
/// because the test has stopped it or because its work is done, stays down.
///
/// ```
/// use std::time::Duration;
/// use pkit_test::{Signal, Strategy, Supervision, orchestra, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let db = simple("sleep 60").supervise(Supervision::permanent());
/// let stack = orchestra()
///     .with("db", db)
///     .with("api", simple("sleep 60").after("db"))
///     .strategy(Strategy::OneForAll)
///     .start()?;
/// stack["db"].signal(Signal::Kill)?;
/// assert_eq!(stack["api"].wait_restart(0, Duration::from_secs(10))?, 1);
/// assert_eq!(stack["db"].restarts(), 1);
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Strategy {
    /// It alone.
    #[default]
    OneForOne,
    /// All: the others are stopped in reverse order, and all are started in order.
    OneForAll,
    /// It, and in the same way those that come after it in the order of the stack.
    RestForOne,
}
