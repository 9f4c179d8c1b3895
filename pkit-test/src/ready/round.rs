//! The probes of one run: armed before it begins, asked one after the other, and let go as each of them holds.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::{Arc, Weak};

use super::{Look, Probe, Sight, Unarmed};
use crate::sys::bell::{Bell, Rope};
use crate::sys::letterbox::Letterbox;

/// What is still to be asked in one run.
#[derive(Default)]
pub(crate) struct Round {
    probes: VecDeque<Box<dyn Probe>>,
    /// Those that have held and may do so no more, in order.
    held: Vec<Box<dyn Probe>>,
    /// Whether the last of these is the one that has held last of all.
    ends_with_latest: bool,
    /// Belongs to the probes: when the last of them that wants it has gone, it is hushed.
    bell: Weak<Bell>,
    /// What outlives its probe.
    kept: Vec<Letterbox>,
}

impl Round {
    /// Arms the probes. Nothing of the run is there yet.
    pub(crate) fn arm(probes: Vec<Box<dyn Probe>>) -> Result<Round, Unarmed> {
        let mut round = Round::unarmed(probes);
        round.probes.iter_mut().try_for_each(|probe| probe.arm())?;
        round.hang_bell();
        Ok(round)
    }

    /// For a run that is over: its probes only have to say what they ask.
    pub(crate) fn unarmed(probes: Vec<Box<dyn Probe>>) -> Round {
        Round { probes: probes.into(), ..Round::default() }
    }

    /// One bell for all who want one; where no descriptor is to be had they do without.
    fn hang_bell(&mut self) {
        let mut wanted = self.probes.iter_mut().filter_map(|probe| probe.bell()).peekable();
        if wanted.peek().is_none() {
            return;
        }
        if let Ok(bell) = Bell::new().map(Arc::new) {
            self.bell = Arc::downgrade(&bell);
            wanted.for_each(|place| *place = Some(Arc::clone(&bell)));
        }
    }

    /// What the shim is to pull when there is more output.
    pub(crate) fn rope(&mut self) -> Option<Rope> {
        let rope = self.bell.upgrade()?.rope();
        if rope.is_err() {
            // Nobody will ring it.
            self.probes.iter_mut().filter_map(|probe| probe.bell()).for_each(|place| *place = None);
        }
        rope.ok()
    }

    /// What the process is told in its environment.
    pub(crate) fn variables(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        self.probes.iter().filter_map(|probe| probe.variable())
    }

    /// The probe at hand; none when all have held.
    pub(crate) fn current(&mut self) -> Option<&mut (dyn Probe + 'static)> {
        self.probes.front_mut().map(AsMut::as_mut)
    }

    /// The probe at hand holds. It is let go with all that it waited by, unless it is to be asked again.
    pub(crate) fn passes(&mut self) {
        self.ends_with_latest = self.probes.front().is_some_and(|probe| probe.can_lapse());
        match self.probes.pop_front() {
            Some(probe) if probe.can_lapse() => self.held.push(probe),
            Some(probe) => self.kept.extend(probe.rest()),
            None => {}
        }
    }

    /// Looks once more at all that have held before the latest; those that do not any more are to be waited for again.
    /// What held before and behind it held with it, so it need not be asked again itself.
    pub(crate) fn ask_again(&mut self, sight: &Sight<'_>) {
        let latest = if self.ends_with_latest { self.held.pop() } else { None };
        for mut probe in std::mem::take(&mut self.held) {
            match probe.look_again(sight) {
                Look::Ready => self.held.push(probe),
                _ => self.probes.push_back(probe),
            }
        }
        self.held.extend(latest);
        if self.probes.is_empty() {
            // Nobody asks any more, and the round lives as long as its run: with them go their descriptors.
            self.held.clear();
        }
    }
}
