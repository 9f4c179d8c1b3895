//! What shims leave that were killed themselves.

use std::time::{Duration, Instant};

use super::Guardian;
use crate::guardian::protocol::Event;
use crate::sys::{child, strays};

/// How long between two looks for orphans of a shim that was killed.
const SWEEP_PAUSE: Duration = Duration::from_millis(1);

/// The same where a thousand looks did not help: somebody whom we may not kill.
const LONG_SWEEP_PAUSE: Duration = Duration::from_millis(100);

impl Guardian {
    /// Kills what a shim left that was itself killed: it came to us, the next subreaper.
    pub(super) fn sweep(&mut self) {
        let spare = self.spare.iter().map(|spare| spare.pid).chain(self.janitor.pid());
        let shims: Vec<i32> = self.shims.values().map(|shim| shim.pid).chain(spare).collect();
        let orphans = child::own_children().into_iter().filter(|pid| !shims.contains(pid));
        let mut any = false;
        for orphan in orphans {
            any = true;
            child::kill_child(orphan);
        }
        self.is_sweeping = any;
        self.sweeps = if any { self.sweeps.saturating_add(1) } else { 0 };
        if !any {
            for id in std::mem::take(&mut self.lost) {
                self.outbox.push(&Event::Lost.to_frame(id));
            }
        }
    }

    /// When orphans are to be looked for again.
    pub(super) fn next_sweep(&self) -> Option<Instant> {
        let pause = if self.sweeps < 1000 { SWEEP_PAUSE } else { LONG_SWEEP_PAUSE };
        let sweep = self.is_sweeping.then(|| Instant::now() + pause);
        sweep.into_iter().chain(strays::next_look()).min()
    }
}
