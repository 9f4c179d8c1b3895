//! What is to be run at the end of leases, so that nothing is left of what they have done.
//!
//! Each is a run of the guardian of the instance like any other, with an id of the broker's own. One after the other for a lease,
//! the last one first; leases do not wait for each other.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::{Broker, Id, Life};
use crate::config::deadline_in;
use crate::guardian::broker::protocol::Undone;
use crate::guardian::protocol::{Event, Order, SPAWN, StopPlan};
use crate::guardian::wire::Frame;
use crate::output::LogFiles;
use crate::sys::child::Step;

/// One that is kept for the end of a lease.
#[derive(Debug)]
pub(super) struct Errand {
    pub(super) launch: Vec<u8>,
    pub(super) limit_ms: u64,
    pub(super) slate: Option<OwnedFd>,
    pub(super) binary: Option<OwnedFd>,
}

#[derive(Debug, Default)]
pub(super) struct Errands {
    kept: BTreeMap<Id, Vec<Errand>>,
    /// By the ids of their runs.
    under_way: BTreeMap<u32, UnderWay>,
    /// What has become of those of a lease so far, where it was not what it should be.
    trouble: BTreeMap<Id, Undone>,
}

#[derive(Debug)]
struct UnderWay {
    lease: Id,
    log: PathBuf,
    stop: StopPlan,
    /// Until it is late.
    until: Option<Instant>,
    was_late: bool,
}

impl Errands {
    pub(super) fn keep(&mut self, lease: Id, errand: Errand) {
        self.kept.entry(lease).or_default().push(errand);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.under_way.values().filter_map(|errand| errand.until).min()
    }

    /// Those that have had their time, and how they are to be stopped; once.
    pub(super) fn late(&mut self, now: Instant) -> Vec<(u32, StopPlan)> {
        let mut late = Vec::new();
        for (run, errand) in &mut self.under_way {
            if errand.until.take_if(|until| *until <= now).is_some() {
                errand.was_late = true;
                late.push((*run, StopPlan { then_kill: true, ..errand.stop }));
            }
        }
        late
    }

    /// The last one of a lease that is not under way.
    fn next(&mut self, lease: Id) -> Option<Errand> {
        self.kept.get_mut(&lease)?.pop()
    }

    fn has_begun(&mut self, run: u32, errand: UnderWay) {
        self.under_way.insert(run, errand);
    }

    /// Whose it is and what has become of it, if it has ended by this. What one has written that did as it should nobody reads.
    fn hear(&mut self, run: u32, event: &Event) -> Option<(Id, Undone)> {
        let errand = self.under_way.get(&run)?;
        let undone = match event {
            Event::Gone { exit, .. } => {
                Undone::Ended { exit: *exit, was_late: errand.was_late, log: errand.log.clone() }
            }
            Event::Refused { step, errno } => Undone::Refused { step: *step as u8, errno: *errno },
            Event::Lost | Event::Declined => Undone::Lost,
            _ => return None,
        };
        let errand = self.under_way.remove(&run)?;
        if is_clean(&undone) {
            LogFiles::at(&errand.log).remove();
        }
        Some((errand.lease, undone))
    }

    fn note(&mut self, lease: Id, undone: Undone) {
        if !is_clean(&undone) {
            self.trouble.entry(lease).or_insert(undone);
        }
    }

    /// All of a lease have ended. Where each did as it should the last one stands for them.
    fn outcome(&mut self, lease: Id, last: Undone) -> Undone {
        self.kept.remove(&lease);
        self.trouble.remove(&lease).unwrap_or(last)
    }

    /// The leases that nothing will ever be undone of.
    pub(super) fn lose_all(&mut self) -> Vec<Id> {
        let mut leases: Vec<Id> = self.under_way.values().map(|errand| errand.lease).collect();
        leases.dedup();
        *self = Errands::default();
        leases
    }
}

/// Whether it did as it should.
fn is_clean(undone: &Undone) -> bool {
    matches!(undone, Undone::Ended { exit, was_late: false, .. } if exit.success())
}

impl Broker {
    /// Runs what a lease has left, or what is left of it.
    pub(super) fn undo(&mut self, lease: Id, life: Life) {
        let guardian = self.guardians.get_mut(&life);
        match guardian.and_then(|guardian| guardian.errands.next(lease)) {
            Some(errand) => self.send_errand(lease, life, errand),
            // Whoever has none left has been told so, and there is no guardian without an end of its own.
            None => self.machine.undone(lease, Undone::Lost),
        }
    }

    fn send_errand(&mut self, lease: Id, life: Life, errand: Errand) {
        let frame = Frame { id: 0, kind: SPAWN, payload: errand.launch };
        let Some(Order::Spawn(launch)) = Order::from_frame(&frame) else {
            let step = Step::Prepare as u8;
            return self.errand_ended(lease, life, Undone::Refused { step, errno: Errno::EINVAL as i32 });
        };
        let Some(guardian) = self.guardians.get_mut(&life) else { return };
        let ahead = [(Order::Binary, errand.binary), (Order::Slate, errand.slate)];
        let (run, posts) = guardian.relay.errand(frame.payload, ahead);
        let until = Some(deadline_in(Duration::from_millis(errand.limit_ms)));
        let under_way = UnderWay { lease, log: launch.log, stop: launch.stop, until, was_late: false };
        guardian.errands.has_begun(run, under_way);
        self.deliver(life, posts);
    }

    pub(super) fn hear_errand(&mut self, life: Life, run: u32, event: &Event) {
        let Some(guardian) = self.guardians.get_mut(&life) else { return };
        if let Some((lease, undone)) = guardian.errands.hear(run, event) {
            guardian.relay.forget_errand(run);
            self.errand_ended(lease, life, undone);
        }
    }

    fn errand_ended(&mut self, lease: Id, life: Life, undone: Undone) {
        let Some(guardian) = self.guardians.get_mut(&life) else { return };
        guardian.errands.note(lease, undone.clone());
        match guardian.errands.next(lease) {
            Some(errand) => self.send_errand(lease, life, errand),
            None => {
                let outcome = guardian.errands.outcome(lease, undone);
                self.machine.undone(lease, outcome);
            }
        }
    }
}
