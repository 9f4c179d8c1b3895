//! How a process ended.

use std::fmt;

use crate::signal;
use crate::sys::child::End;

/// How a process ended: by returning a code, or by a signal.
///
/// ```
/// # fn main() -> pkit_test::Result<()> {
/// let exit = pkit_test::simple("sh -c 'exit 3'").start()?.wait()?;
/// assert_eq!(exit.code(), Some(3));
/// assert_eq!(exit.signal(), None);
/// assert!(!exit.success());
/// assert_eq!(exit.to_string(), "exit code 3");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Exit {
    end: End,
}

impl Exit {
    /// The exit code, 0 to 255, or `None` if a signal ended it.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(pkit_test::simple("sh -c 'exit 3'").start()?.wait()?.code(), Some(3));
    /// assert_eq!(pkit_test::simple("sh -c 'kill -TERM $$'").start()?.wait()?.code(), None);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        match self.end {
            End::Code(code) => Some(code),
            End::Signal { .. } => None,
        }
    }

    /// The number of the signal that ended it, or `None` if it returned a code.
    ///
    /// ```
    /// use pkit_test::{Signal, simple};
    /// # fn main() -> pkit_test::Result<()> {
    /// let exit = simple("sh -c 'kill -TERM $$'").start()?.wait()?;
    /// assert_eq!(exit.signal(), Some(Signal::Term.number()));
    /// assert_eq!(exit.to_string(), "signal 15 (SIGTERM)");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        match self.end {
            End::Code(_) => None,
            End::Signal { number, .. } => Some(number),
        }
    }

    /// Whether it returned code 0.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert!(pkit_test::simple("true").start()?.wait()?.success());
    /// assert!(!pkit_test::simple("false").start()?.wait()?.success());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn success(&self) -> bool {
        self.end == End::Code(0)
    }

    /// Whether the kernel wrote a core file when a signal ended it. That depends on the signal, on the limit for core
    /// files and on the system's settings.
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// let exit = pkit_test::simple("sh -c 'kill -KILL $$'").start()?.wait()?;
    /// assert!(!exit.core_dumped(), "no kernel writes one for SIGKILL");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn core_dumped(&self) -> bool {
        matches!(self.end, End::Signal { core_dumped: true, .. })
    }
}

impl From<End> for Exit {
    fn from(end: End) -> Exit {
        Exit { end }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.end {
            End::Code(code) => write!(f, "exit code {code}"),
            End::Signal { number, core_dumped } => {
                write!(f, "signal {number}")?;
                if let Some(name) = signal::known_name(number) {
                    write!(f, " ({name})")?;
                }
                if core_dumped { f.write_str(", core dumped") } else { Ok(()) }
            }
        }
    }
}
