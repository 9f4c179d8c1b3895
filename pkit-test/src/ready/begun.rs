//! Has a function begun, or has it said by itself that it is ready?
//!
//! What it says is on its parcel, and stays there: what has been is not undone by the end of the process, so it holds also
//! after that. Whoever says it rings the bell.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;

use super::{Look, Probe, Ready, Sight};
use crate::parcel::{Parcel, Stage};
use crate::sys::bell::Bell;

/// Ready when the function says so: [`current().ready()`](crate::Current::ready).
///
/// For a [`function()`](crate::function()) that has to do something first. On a spec that runs a program it is a mistake, which
/// the start reports: a program says it by [`Notify`](super::Notify).
///
/// ```
/// use pkit_test::{current, function, ready::Said};
///
/// fn serve(files: u32) -> u32 {
///     std::fs::write(current().dir().join("warm"), files.to_string()).unwrap();
///     current().ready();
///     files
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let server = function(serve, 3).ready(Said::ready()).start()?;
/// assert_eq!(std::fs::read_to_string(server.dir().join("warm")).unwrap(), "3");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    // So that there can be more to say one day.
    ready: (),
}

impl Said {
    /// When it has said that it is ready.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{function, ready::Said};
    ///
    /// fn forgets() { std::thread::sleep(Duration::from_secs(60)) }
    ///
    /// let late = function(forgets, ()).ready(Said::ready()).start_timeout(Duration::from_secs(2));
    /// let error = late.start().unwrap_err();
    /// assert!(error.to_string().contains("it runs, and has not called `current().ready()`"), "{error}");
    /// ```
    #[must_use]
    pub fn ready() -> Said {
        Said { ready: () }
    }
}

impl From<Said> for Ready {
    fn from(probe: Said) -> Ready {
        Ready { kind: super::Kind::Said(probe) }
    }
}

/// Waits for a stage of one run.
#[derive(Debug)]
pub(crate) struct Begun {
    /// None where it only has to say what it asks.
    parcel: Option<Arc<Parcel>>,
    stage: Stage,
    bell: Option<Arc<Bell>>,
}

impl Begun {
    pub(crate) fn new(parcel: Option<Arc<Parcel>>, stage: Stage) -> Begun {
        Begun { parcel, stage, bell: None }
    }
}

impl Probe for Begun {
    fn look(&mut self, sight: &Sight<'_>) -> Look {
        if let Some(bell) = &self.bell {
            // Before the look: what is said after it rings again.
            bell.drain();
        }
        let stage = self.parcel.as_ref().map_or(Stage::Packed, |parcel| parcel.stage());
        if stage >= self.stage {
            return Look::Ready;
        }
        let why = match stage {
            Stage::Packed => "it has not begun",
            Stage::Begun | Stage::SaidReady => "it runs, and has not called `current().ready()`",
        };
        let can_ring = self.bell.is_some() && !sight.run.look(|state| state.has_no_bell);
        let why = why.to_owned();
        if can_ring { Look::AtEvent(why) } else { Look::NotYet(why) }
    }

    fn outlives_the_process(&self) -> bool {
        true
    }

    fn events(&self) -> Option<BorrowedFd<'_>> {
        self.bell.as_ref().map(|bell| bell.as_fd())
    }

    fn bell(&mut self) -> Option<&mut Option<Arc<Bell>>> {
        Some(&mut self.bell)
    }

    fn question(&self) -> String {
        match self.stage {
            Stage::SaidReady => "it says that it is ready".to_owned(),
            Stage::Packed | Stage::Begun => "the function begins".to_owned(),
        }
    }
}
