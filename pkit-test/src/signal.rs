//! The signals that a test may send.

use nix::sys::signal::Signal as Nix;

/// A signal to send with [`Process::signal`](crate::Process::signal), or to stop with
/// ([`Spec::stop_signal`](crate::Spec::stop_signal)).
///
/// An enum of our own, so that no type of another crate is part of this interface. A number that is not listed (a
/// real-time signal) is [`Signal::Number`].
///
/// ```
/// use pkit_test::{Signal, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let sleeper = simple("sleep 60").start()?;
/// sleeper.signal(Signal::Kill)?;
/// assert_eq!(sleeper.wait()?.signal(), Some(9));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Signal {
    /// SIGHUP: by convention "read your configuration again".
    Hup,
    /// SIGINT: what Ctrl-C sends.
    Int,
    /// SIGQUIT: quit, with a core file; PostgreSQL's immediate shutdown.
    Quit,
    /// SIGABRT: what `abort()` sends.
    Abort,
    /// SIGKILL: cannot be caught.
    Kill,
    /// SIGUSR1.
    Usr1,
    /// SIGUSR2.
    Usr2,
    /// SIGPIPE.
    Pipe,
    /// SIGALRM.
    Alarm,
    /// SIGTERM: the polite request to end.
    Term,
    /// SIGCONT: go on after a stop.
    Cont,
    /// SIGSTOP: stop, cannot be caught; [`Process::pause`](crate::Process::pause) does it to the whole tree.
    Stop,
    /// SIGWINCH: the terminal's size changed; Apache and nginx stop gracefully on it.
    Winch,
    /// Any other signal, by its number on this system.
    Number(i32),
}

impl Signal {
    /// Its number on this system.
    ///
    /// ```
    /// assert_eq!(pkit_test::Signal::Term.number(), 15);
    /// ```
    #[must_use]
    pub fn number(self) -> i32 {
        let known = match self {
            Signal::Hup => Nix::SIGHUP,
            Signal::Int => Nix::SIGINT,
            Signal::Quit => Nix::SIGQUIT,
            Signal::Abort => Nix::SIGABRT,
            Signal::Kill => Nix::SIGKILL,
            Signal::Usr1 => Nix::SIGUSR1,
            Signal::Usr2 => Nix::SIGUSR2,
            Signal::Pipe => Nix::SIGPIPE,
            Signal::Alarm => Nix::SIGALRM,
            Signal::Term => Nix::SIGTERM,
            Signal::Cont => Nix::SIGCONT,
            Signal::Stop => Nix::SIGSTOP,
            Signal::Winch => Nix::SIGWINCH,
            Signal::Number(number) => return number,
        };
        known as i32
    }
}

/// The name of a signal by its number: `SIGTERM`, or `signal 40` where it has none.
pub(crate) fn name(number: i32) -> String {
    known_name(number).map_or_else(|| format!("signal {number}"), str::to_owned)
}

/// The name of a signal that has one.
pub(crate) fn known_name(number: i32) -> Option<&'static str> {
    Nix::try_from(number).ok().map(Nix::as_str)
}
