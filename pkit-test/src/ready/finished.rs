//! Has the process done its work, and ended as it should?
//!
//! An event, not a poll: its shim says when nothing of it is left.

use super::{Look, Probe, Sight};
use crate::exit::Exit;
use crate::guardian::run::Phase;

/// Ready when the process has ended with a certain exit code, and nothing of it is left: for a step that others wait for.
///
/// This exit is then expected, and no failure of the test. Any other one is a failure of the start.
///
/// ```
/// use pkit_test::{Spec, ready::Finished};
/// # fn main() -> pkit_test::Result<()> {
/// let step = || Spec::new("sh -c 'echo checked; exit 3'");
/// assert_eq!(step().ready(Finished::code(3)).start()?.stdout(), "checked\n");
///
/// let error = step().ready(Finished::success()).start().unwrap_err();
/// assert!(error.to_string().starts_with("`sh` did not finish with exit code 0\n"));
/// assert_eq!(error.exit().and_then(|exit| exit.code()), Some(3));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finished {
    code: i32,
}

impl Finished {
    /// With exit code 0, as [`finished`](crate::finished) has it.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Finished};
    /// # fn main() -> pkit_test::Result<()> {
    /// let step = Spec::new("touch {dir}/done").ready(Finished::success()).start()?;
    /// assert!(step.dir().join("done").exists() && !step.is_alive());
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn success() -> Finished {
        Finished { code: 0 }
    }

    /// With this exit code.
    ///
    /// ```
    /// use pkit_test::{Spec, ready::Finished};
    /// # fn main() -> pkit_test::Result<()> {
    /// let different = Spec::new("sh -c 'echo one | cmp - /dev/null'").ready(Finished::code(1)).start()?;
    /// assert_eq!(different.exit().and_then(|exit| exit.code()), Some(1));
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn code(code: i32) -> Finished {
        Finished { code }
    }

    pub(super) fn expected(self) -> i32 {
        self.code
    }

    fn is(self, exit: Exit) -> bool {
        exit.code() == Some(self.code)
    }
}

impl Probe for Finished {
    fn look(&mut self, sight: &Sight<'_>) -> Look {
        match sight.run.phase() {
            Phase::Gone(exit, _) if self.is(exit) => Look::Ready,
            // Its shim is about to stop what it has left behind: that is not for others to meet.
            Phase::LeaderEnded(exit) if self.is(exit) && !exit.success() => {
                sight.run.wait_over(Some(sight.deadline)).map_or_else(left_behind, |_| Look::Ready)
            }
            Phase::LeaderEnded(exit) if exit.success() => left_behind(),
            Phase::Starting | Phase::Running => Look::AtEvent("it still runs".to_owned()),
            phase => Look::AtEvent(phase.exit().map_or_else(|| "it is lost".to_owned(), |exit| exit.to_string())),
        }
    }

    fn question(&self) -> String {
        format!("ends with exit code {}", self.code)
    }
}

fn left_behind() -> Look {
    Look::AtEvent("it has ended, and what it left in the background still runs".to_owned())
}
