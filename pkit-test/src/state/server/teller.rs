//! The last changes in words, for those who look at why a test has failed: what a process prints is shown then.
//!
//! ```text
//!            a change                      quiet for QUIET, or LONGEST after the first   the end
//! told       -> untold                     (none)                                        (nothing)
//! untold     (untold, quiet from now on)   written -> told                               written -> told
//! ```
//!
//! At the end alone would be too late: a test that hangs is killed, and its last words are taken before its processes are told to
//! end. At every change would be a system call for each.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use crate::state::store::Store;

/// How long nothing may change before it is written.
const QUIET: Duration = Duration::from_millis(20);

/// How long it may take if something changes all the time.
const LONGEST: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(super) struct Teller {
    /// Of how much it has heard, and how much of that it has told.
    heard: u64,
    told: u64,
    /// When the first one came that is untold, and when the last one.
    untold: Option<(Instant, Instant)>,
}

impl Teller {
    /// When there will be something to write.
    pub(super) fn due(&self) -> Option<Instant> {
        self.untold.map(|(first, last)| (last + QUIET).min(first + LONGEST))
    }

    /// Looks at what was done, and writes what is due.
    pub(super) fn hear(&mut self, store: &Store) {
        if self.heard != store.noted() {
            let now = Instant::now();
            self.heard = store.noted();
            self.untold = Some((self.untold.map_or(now, |(first, _)| first), now));
        }
        if self.due().is_some_and(|due| due <= Instant::now()) {
            self.tell(store);
        }
    }

    /// Writes what is untold.
    pub(super) fn tell(&mut self, store: &Store) {
        let lines = store.history_after(self.told);
        let title = if self.told == 0 { "the last changes:\n" } else { "" };
        self.told = store.noted();
        self.untold = None;
        if !lines.is_empty() {
            // Nobody may be left who reads it.
            let _ = write(&format!("{title}{}\n", lines.join("\n")));
        }
    }
}

fn write(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
