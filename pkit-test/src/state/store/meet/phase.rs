//! Phases: processes that are walked from step to step. Who waits at a step stands there.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::super::super::protocol::{PhaseAct, Refusal, Reply, Who};
use super::super::history::Event;
use super::super::machine::{Answer, Asker, Store, number};
use super::super::park::Lot;
use super::super::words::{Facts, NAMED, all_called, before, fact};
use super::latch::remember;

#[derive(Debug, Default)]
pub(super) struct Phase {
    steps: BTreeMap<Arc<str>, Step>,
}

#[derive(Debug, Default)]
struct Step {
    is_open: bool,
    /// Who has died standing there, or its link has ended, the last ones.
    lost: VecDeque<Who>,
    last_let_on: Option<(Instant, Who)>,
}

impl Store {
    pub(in super::super) fn phase(&mut self, asker: Asker, name: &Arc<str>, act: &PhaseAct) -> Answer {
        let (PhaseAct::Pass { step, .. }
        | PhaseAct::WaitFor { step, .. }
        | PhaseAct::LetOn { step, .. }
        | PhaseAct::Open { step }
        | PhaseAct::Standing { step }) = act;
        if let Err(refusal) = self.make_step(name, step) {
            return Reply::Refused(refusal).into();
        }
        let lot = at(name, step);
        match act {
            PhaseAct::Pass { timeout, .. } => self.pass(asker, lot, *timeout),
            PhaseAct::WaitFor { count, timeout, .. } => self.wait_for(lot, *count, *timeout),
            PhaseAct::LetOn { count, .. } => self.let_some_on(asker, name, step, *count).into(),
            PhaseAct::Open { .. } => self.open_step(asker, name, step).into(),
            PhaseAct::Standing { .. } => self.standing(&lot).into(),
        }
    }

    /// Somebody stands there now. Those who have waited for just so many hear it.
    pub(in super::super) fn came_to(&mut self, asker: Asker, name: &Arc<str>, step: &Arc<str>) {
        let came = Event::Came { name: Arc::clone(name), step: Arc::clone(step) };
        self.history.note(self.sessions.who(asker.session), came, asker.now);
        let lot = at(name, step);
        let full = Lot::Gathering { name: Arc::clone(name), step: Arc::clone(step), count: self.parked.len(&lot) };
        for link in self.all_in(&full) {
            self.let_on(link, self.standing(&lot));
        }
    }

    pub(super) fn lost_at(&mut self, name: &Arc<str>, step: &Arc<str>, who: &Who, now: Instant) {
        remember(&mut self.step(name, step).lost, who);
        self.history.note(who, Event::LeftStep { name: Arc::clone(name), step: Arc::clone(step) }, now);
    }

    /// `count` is that of those who are waited for; there is none for who stands there itself.
    pub(in super::super) fn phase_facts(
        &self,
        name: &Arc<str>,
        step: &Arc<str>,
        count: Option<u64>,
        now: Instant,
    ) -> Facts {
        let lot = at(name, step);
        let many = count.map_or_else(String::new, |count| format!("{} of {count}: ", self.parked.len(&lot)));
        let mut facts = vec![fact("here", many + &all_called(self.whos_in(&lot)))];
        let Some(phase) = self.meet.phases.get(name) else { return facts };
        facts.extend(phase.steps.get(step).into_iter().flat_map(|step| step.facts(now)));
        let elsewhere = phase.steps.keys().filter(|other| *other != step && self.parked.len(&at(name, other)) > 0);
        let elsewhere = elsewhere
            .take(NAMED)
            .map(|other| fact("elsewhere", format!("{} at `{other}`", all_called(self.whos_in(&at(name, other))))));
        facts.extend(elsewhere);
        facts
    }

    fn make_step(&mut self, name: &Arc<str>, step: &Arc<str>) -> Result<(), Refusal> {
        if !self.meet.phases.contains_key(name) {
            self.make(name)?;
            self.meet.phases.insert(Arc::clone(name), Phase::default());
        }
        if !self.meet.phases[name].steps.contains_key(step) {
            self.make(step)?;
            self.step(name, step);
        }
        Ok(())
    }

    fn step(&mut self, name: &Arc<str>, step: &Arc<str>) -> &mut Step {
        let phase = self.meet.phases.get_mut(name).expect("it was made if it was not there");
        phase.steps.entry(Arc::clone(step)).or_default()
    }

    fn pass(&mut self, asker: Asker, lot: Lot, timeout: Duration) -> Answer {
        if let Lot::Step { name, step } = &lot {
            if !self.step(name, step).is_open {
                return Answer::Later(lot, Some(timeout));
            }
            let came = Event::Came { name: Arc::clone(name), step: Arc::clone(step) };
            self.history.note(self.sessions.who(asker.session), came, asker.now);
        }
        Reply::Done { version: self.version }.into()
    }

    fn wait_for(&self, lot: Lot, count: u64, timeout: Duration) -> Answer {
        match lot {
            Lot::Step { name, step } if self.parked.len(&at(&name, &step)) < count => {
                Answer::Later(Lot::Gathering { name, step, count }, Some(timeout))
            }
            lot => self.standing(&lot).into(),
        }
    }

    fn let_some_on(&mut self, asker: Asker, name: &Arc<str>, step: &Arc<str>, count: Option<u64>) -> Reply {
        let most = count.map_or(usize::MAX, |count| usize::try_from(count).unwrap_or(usize::MAX));
        let standing: Vec<_> = self.parked.all(&at(name, step)).take(most).collect();
        let many = standing.len() as u64;
        let who = self.sessions.who(asker.session).clone();
        let let_on = Event::LetOn { name: Arc::clone(name), step: Arc::clone(step), many };
        self.history.note(&who, let_on, asker.now);
        self.step(name, step).last_let_on = Some((asker.now, who));
        for link in standing {
            self.let_on(link, Reply::Done { version: self.version });
        }
        number(many)
    }

    fn open_step(&mut self, asker: Asker, name: &Arc<str>, step: &Arc<str>) -> Reply {
        let opened = Event::Opened { name: Arc::clone(name), step: Arc::clone(step) };
        self.history.note(self.sessions.who(asker.session), opened, asker.now);
        self.step(name, step).is_open = true;
        let standing = self.all_in(&at(name, step));
        let many = standing.len() as u64;
        for link in standing {
            self.let_on(link, Reply::Done { version: self.version });
        }
        number(many)
    }

    fn standing(&self, lot: &Lot) -> Reply {
        Reply::Standing(self.whos_in(lot).cloned().collect())
    }
}

impl Phase {
    /// Where nobody stops.
    #[cfg(test)]
    pub(super) fn open_steps(&self) -> impl Iterator<Item = &Arc<str>> {
        self.steps.iter().filter(|(_, step)| step.is_open).map(|(name, _)| name)
    }

    #[cfg(test)]
    pub(super) fn steps(&self) -> impl Iterator<Item = &Arc<str>> {
        self.steps.keys()
    }
}

impl Step {
    fn facts(&self, now: Instant) -> Facts {
        let ago = |(at, who): &(Instant, Who)| before(now.saturating_duration_since(*at), who);
        let let_on = self.last_let_on.iter().map(|last| fact("let on", ago(last)));
        let open = self.is_open.then(|| fact("open", "nobody stops there any more"));
        let lost =
            (!self.lost.is_empty()).then(|| fact("lost", format!("{}, standing there", all_called(self.lost.iter()))));
        let_on.chain(open).chain(lost).collect()
    }
}

fn at(name: &Arc<str>, step: &Arc<str>) -> Lot {
    Lot::Step { name: Arc::clone(name), step: Arc::clone(step) }
}
