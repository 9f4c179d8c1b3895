//! Latches: they count down to nothing, once.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::super::protocol::{LatchAct, Refusal, Reply, Who};
use super::super::machine::{Answer, Asker, Store, malformed, number};
use super::super::park::Lot;
use super::super::sessions::Holding;
use super::super::words::{Facts, NAMED, all_called, fact, name as shown};

#[derive(Debug)]
pub(super) struct Latch {
    made: u64,
    made_by: Who,
    left: u64,
    /// The last ones, each once.
    counted: VecDeque<Who>,
    /// Who has opened it and died, and had not counted it down.
    died: VecDeque<Who>,
}

impl Store {
    pub(in super::super) fn latch(&mut self, asker: Asker, name: &Arc<str>, act: LatchAct) -> Answer {
        if let LatchAct::Open { count } = act {
            return self.open_latch(asker, name, count).into();
        }
        let Some(latch) = self.meet.latches.get(name) else {
            return malformed(format!("nobody has made the latch `{}`", shown(name))).into();
        };
        match act {
            LatchAct::CountDown { by } => self.count_down(asker, name, by).into(),
            LatchAct::Wait { timeout } if latch.left > 0 => Answer::Later(Lot::Latch(Arc::clone(name)), Some(timeout)),
            LatchAct::Count => number(latch.left).into(),
            LatchAct::Wait { .. } | LatchAct::Open { .. } => Reply::Done { version: self.version }.into(),
        }
    }

    fn open_latch(&mut self, asker: Asker, name: &Arc<str>, count: u64) -> Reply {
        if !self.meet.latches.contains_key(name) {
            if let Err(refusal) = self.make(name) {
                return Reply::Refused(refusal);
            }
            let made_by = self.sessions.who(asker.session).clone();
            let latch = Latch { made: count, made_by, left: count, counted: VecDeque::new(), died: VecDeque::new() };
            self.meet.latches.insert(Arc::clone(name), latch);
        }
        let Latch { made, made_by, .. } = &self.meet.latches[name];
        if *made != count {
            return Reply::Refused(Refusal::Differs { made: *made, asked: count, by: made_by.clone() });
        }
        self.sessions.holds(asker.session).insert(Holding::Latch(Arc::clone(name)));
        Reply::Done { version: self.version }
    }

    fn count_down(&mut self, asker: Asker, name: &Arc<str>, by: u64) -> Reply {
        let latch = self.meet.latches.get_mut(name).expect("it was looked for before");
        latch.left = latch.left.saturating_sub(by);
        remember(&mut latch.counted, self.sessions.who(asker.session));
        let left = latch.left;
        self.sessions.holds(asker.session).remove(&Holding::Latch(Arc::clone(name)));
        if left == 0 {
            for link in self.all_in(&Lot::Latch(Arc::clone(name))) {
                self.let_on(link, Reply::Done { version: self.version });
            }
        }
        number(left)
    }

    pub(super) fn left_latch(&mut self, name: &Arc<str>, who: &Who) {
        remember(&mut self.meet.latches.get_mut(name).expect("latches stay").died, who);
    }

    pub(in super::super) fn latch_facts(&self, name: &Arc<str>) -> Facts {
        let Some(latch) = self.meet.latches.get(name) else { return Vec::new() };
        let mut facts = vec![fact("left", format!("{} of {}", latch.left, latch.made))];
        facts.push(fact("counted", all_called(latch.counted.iter())));
        if !latch.died.is_empty() {
            facts.push(fact("died", format!("{}, and had not counted", all_called(latch.died.iter()))));
        }
        facts
    }
}

impl Latch {
    #[cfg(test)]
    pub(super) fn check(&self, is_waited_for: bool) {
        assert!(!is_waited_for || self.left > 0);
    }
}

/// The last ones, the latest last.
pub(super) fn remember(whos: &mut VecDeque<Who>, who: &Who) {
    whos.retain(|other| other != who);
    if whos.len() == NAMED {
        whos.pop_front();
    }
    whos.push_back(who.clone());
}
