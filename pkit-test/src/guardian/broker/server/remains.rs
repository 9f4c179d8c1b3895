//! What guardians leave that were killed.
//!
//! Their shims notice, and stop their services by themselves, each with its own signal and the time that it has after a crash.
//! They come to us, for we are the next subreaper; and so does what a shim leaves that was killed as well. Nothing of an instance
//! may be left when it is started anew: it might hold the port, or write to the same files. So all children of ours that are no
//! guardians are remains: shims are left alone until they have had their time, and all others are killed.

use std::time::{Duration, Instant};

use super::{Broker, Life};
use crate::guardian::SHIM_NAME;
use crate::limits::SHIM_MARGIN;
use crate::sys::child::{self, End, Reaped};
use crate::sys::{platform, procfs, strays};

/// How long between two looks, where somebody was killed: its end is told, but not that of those who only then come to us.
const PAUSE: Duration = Duration::from_millis(2);

/// The same where a thousand looks did not help: somebody whom we may not kill.
const LONG_PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
pub(super) struct Remains {
    /// Guardians that were told to let everything stay up, and are left alone.
    kept: Vec<i32>,
    next_look: Option<Instant>,
    looks: u32,
}

impl Remains {
    pub(super) fn keep(&mut self, guardian: i32) {
        self.kept.push(guardian);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.next_look
    }
}

impl Broker {
    pub(super) fn reap(&mut self) {
        while let Reaped::Ended(pid, end) = child::reap() {
            self.remains.kept.retain(|kept| *kept != pid);
            let found = self.guardians.iter().find(|(_, guardian)| guardian.pid == pid && !guardian.is_reaped);
            if let Some(life) = found.map(|(life, _)| *life) {
                if end == End::Code(0) {
                    strays::has_ended(pid);
                } else {
                    strays::has_ended_early(pid);
                }
                self.guardian_is_reaped(life);
            }
        }
    }

    fn guardian_is_reaped(&mut self, life: Life) {
        let Some(guardian) = self.guardians.get_mut(&life) else { return };
        guardian.is_reaped = true;
        guardian.clear_by = Some(Instant::now() + guardian.crash_time() + SHIM_MARGIN);
        self.read_guardian(life);
    }

    /// Whether anything is left of guardians that have ended. One that has ended in order has left nothing.
    pub(super) fn look_for_remains(&mut self) {
        let ended: Vec<Life> =
            self.guardians.iter().filter(|(_, guardian)| guardian.is_reaped).map(|(life, _)| *life).collect();
        if ended.is_empty() {
            self.remains.next_look = None;
            return;
        }
        let remains = self.orphans();
        if remains.is_empty() {
            (self.remains.next_look, self.remains.looks) = (None, 0);
            ended.into_iter().for_each(|life| self.machine.nothing_is_left(life));
            return self.act();
        }
        self.end_remains(&remains);
    }

    fn orphans(&self) -> Vec<i32> {
        let living = self.guardians.values().filter(|guardian| !guardian.is_reaped).map(|guardian| guardian.pid);
        let ours: Vec<i32> = living.chain(self.remains.kept.iter().copied()).collect();
        child::own_children().into_iter().filter(|pid| !ours.contains(pid)).collect()
    }

    /// Their ends are told by a signal; a look by the clock is for those who come only when others have ended.
    fn end_remains(&mut self, remains: &[i32]) {
        let now = Instant::now();
        let clear_by = self.guardians.values().filter_map(|guardian| guardian.clear_by).max().unwrap_or(now);
        let (shims, others): (Vec<i32>, Vec<i32>) = remains.iter().partition(|pid| now < clear_by && is_shim(**pid));
        others.iter().for_each(|pid| child::kill_child(*pid));
        self.remains.looks = if others.is_empty() { 0 } else { self.remains.looks.saturating_add(1) };
        let pause = if self.remains.looks < 1000 { PAUSE } else { LONG_PAUSE };
        let soon = (!others.is_empty()).then(|| now + pause);
        let late = (!shims.is_empty()).then_some(clear_by);
        self.remains.next_look = soon.into_iter().chain(late).min();
    }
}

/// Where processes give themselves no names it might be one.
fn is_shim(pid: i32) -> bool {
    !platform::GIVES_NAMES || procfs::name(pid).as_deref().map(str::as_bytes) == Some(SHIM_NAME.to_bytes())
}
