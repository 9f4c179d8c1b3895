//! How a tree of processes is brought to its end, in stages, until the kernel says that nothing is left.
//!
//! ```text
//!             Order            Deadline                        No child left
//! Running     -> Asking (*)    (none)                          -> gone
//! Asking      -> Asking (*)    -> Killing, or Running (**)     -> gone
//! Killing     (ignored)        report once, go on              -> gone
//!
//! (*)  or Killing, where the signal of the order is SIGKILL
//! (**) an order without SIGKILL: whoever gave it sees that it did not help
//!
//! The deadline of Asking begins when all have been asked, not with the order.
//! ```
//!
//! Only direct children are signalled. A subreaper's orphans become its children, so every descendant gets its turn,
//! and a child's id cannot be used again before we reap it. A list of ids that was read from somewhere else could.

use std::time::{Duration, Instant};

use super::protocol::StopPlan;
use crate::limits::KILL_LIMIT;
use crate::signal::Signal;
use crate::sys::child::{self, Reaped};

/// How often orphans are looked for while we wait: they arrive without a signal.
const LOOK_WHILE_ASKING: Duration = Duration::from_millis(20);
const LOOK_WHILE_KILLING: Duration = Duration::from_millis(1);
const LOOK_WHEN_STUCK: Duration = Duration::from_millis(100);

/// How many rounds of killing go without a pause. A process that forks and ends all the time has moved on by the time
/// its id was read; it loses against rounds that are shorter than its own.
const ROUNDS: usize = 200;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Running,
    /// The time of those who are asked begins when they have been.
    Asking {
        plan: StopPlan,
        deadline: Option<Instant>,
    },
    Killing {
        deadline: Instant,
        is_reported: bool,
    },
}

/// The end of the children of this process.
#[derive(Debug)]
pub(crate) struct Stopping {
    stage: Stage,
    /// Children that got the signal already and were not reaped since.
    asked: Vec<i32>,
    /// When the kernel is asked again who our children are; at once if nothing is said.
    next_list: Option<Instant>,
    had_to_kill: bool,
}

impl Stopping {
    pub(crate) fn new() -> Stopping {
        Stopping { stage: Stage::Running, asked: Vec::new(), next_list: None, had_to_kill: false }
    }

    /// Begins, or changes how. Killing is never taken back, nor that it is to come: who ordered it waits for it.
    pub(crate) fn order(&mut self, plan: StopPlan, now: Instant) {
        if matches!(self.stage, Stage::Killing { .. }) {
            return;
        }
        let is_to_kill = matches!(self.stage, Stage::Asking { plan: before, .. } if before.then_kill);
        let plan = StopPlan { then_kill: plan.then_kill || is_to_kill, ..plan };
        let is_the_same = matches!(self.stage, Stage::Asking { plan: now, .. } if now.signal == plan.signal);
        if !is_the_same {
            // The same signal twice means "at once" to some servers.
            self.asked.clear();
        }
        self.next_list = None;
        self.stage =
            if plan.signal == Signal::Kill.number() { killing(now) } else { Stage::Asking { plan, deadline: None } };
    }

    /// Whether somebody wants the children to end.
    pub(crate) fn is_under_way(&self) -> bool {
        self.stage != Stage::Running
    }

    /// Whether asking did not help.
    pub(crate) fn had_to_kill(&self) -> bool {
        self.had_to_kill
    }

    /// To be called with the id of every child that was reaped.
    pub(crate) fn forget(&mut self, pid: i32) {
        self.asked.retain(|asked| *asked != pid);
        // Its children, if it had any, are ours now.
        self.next_list = None;
    }

    /// Does what is due now. Returns the survivors when SIGKILL did not help in time, once.
    ///
    /// The leader, if it was not reaped, is known without asking the kernel who our children are. That is asked again
    /// when one was reaped and from time to time, and not each time that something else wakes us.
    pub(crate) fn act(&mut self, now: Instant, leader: Option<i32>, see: &mut dyn FnMut(Reaped)) -> Option<Vec<i32>> {
        self.move_on(now);
        match self.stage {
            Stage::Running => None,
            Stage::Asking { plan, .. } => {
                if self.ask(leader.into_iter(), plan.signal) {
                    self.next_list = Some(now + LOOK_WHILE_ASKING);
                }
                if self.next_list.is_none_or(|due| due <= now) {
                    self.ask(child::own_children().into_iter(), plan.signal);
                    self.next_list = Some(now + LOOK_WHILE_ASKING);
                }
                self.has_asked(Instant::now());
                None
            }
            Stage::Killing { .. } => {
                leader.into_iter().for_each(child::kill_child);
                self.kill_rounds(see);
                self.survivors(now)
            }
        }
    }

    /// When [`act`](Stopping::act) is due again even if nothing happens.
    pub(crate) fn next_look(&self, now: Instant) -> Option<Instant> {
        match self.stage {
            Stage::Running => None,
            Stage::Asking { deadline, .. } => {
                let look = now + LOOK_WHILE_ASKING;
                Some(deadline.map_or(look, |deadline| deadline.min(look)))
            }
            Stage::Killing { is_reported: false, .. } => Some(now + LOOK_WHILE_KILLING),
            Stage::Killing { is_reported: true, .. } => Some(now + LOOK_WHEN_STUCK),
        }
    }

    /// Not when they were to be: where the machine is busy we may stand still in between, and whoever is killed then was
    /// never asked.
    fn has_asked(&mut self, now: Instant) {
        if let Stage::Asking { plan, deadline: deadline @ None } = &mut self.stage {
            *deadline = Some(now + Duration::from_millis(plan.grace_ms));
        }
    }

    fn move_on(&mut self, now: Instant) {
        let Stage::Asking { plan, deadline: Some(deadline) } = self.stage else { return };
        if now < deadline {
            return;
        }
        self.had_to_kill = plan.then_kill;
        self.stage = if plan.then_kill { killing(now) } else { Stage::Running };
    }

    /// Asks those that were not asked yet; whether there were any.
    fn ask(&mut self, children: impl Iterator<Item = i32>, signal: i32) -> bool {
        let before = self.asked.len();
        for pid in children {
            if self.asked.contains(&pid) {
                continue;
            }
            // Somebody who may not be signalled is met again when the time for SIGKILL has come.
            let _ = child::signal(pid, signal);
            // The signal first: a stopped process must find it when it wakes.
            child::wake(pid);
            self.asked.push(pid);
        }
        self.asked.len() > before
    }

    fn kill_rounds(&mut self, see: &mut dyn FnMut(Reaped)) {
        for _ in 0..ROUNDS {
            let children = child::own_children();
            if children.is_empty() {
                return;
            }
            child::kill_hoppers();
            children.into_iter().for_each(child::kill_child);
            let mut any = false;
            loop {
                match child::reap() {
                    Reaped::NoneYet => break,
                    Reaped::NoChildren => return see(Reaped::NoChildren),
                    ended => {
                        any = true;
                        see(ended);
                    }
                }
            }
            if !any {
                return;
            }
        }
    }

    fn survivors(&mut self, now: Instant) -> Option<Vec<i32>> {
        let Stage::Killing { deadline, is_reported: false } = self.stage else { return None };
        if now < deadline {
            return None;
        }
        self.stage = Stage::Killing { deadline, is_reported: true };
        Some(child::own_children())
    }
}

fn killing(now: Instant) -> Stage {
    Stage::Killing { deadline: now + KILL_LIMIT, is_reported: false }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_stands_still_between_the_order_and_the_asking_kills_nobody() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let mut stopping = Stopping::new();
        stopping.order(StopPlan { signal: Signal::Term.number(), grace_ms: 5, then_kill: true }, now);
        stopping.move_on(later);
        assert!(stopping.is_under_way() && !stopping.had_to_kill());
        stopping.has_asked(later);
        stopping.move_on(later);
        assert!(!stopping.had_to_kill());
        stopping.move_on(later + Duration::from_millis(5));
        assert!(stopping.had_to_kill());
    }

    #[test]
    fn an_order_that_only_asks_takes_no_kill_back() {
        let (now, later) = (Instant::now(), Instant::now() + Duration::from_secs(1));
        let plan = StopPlan { signal: Signal::Term.number(), grace_ms: 5, then_kill: true };
        for (first, then) in [(true, false), (false, true), (true, true), (false, false)] {
            let mut stopping = Stopping::new();
            stopping.order(StopPlan { then_kill: first, ..plan }, now);
            stopping.order(StopPlan { then_kill: then, ..plan }, now);
            stopping.has_asked(now);
            stopping.move_on(later);
            assert_eq!(stopping.is_under_way(), first || then, "{first}, then {then}");
        }
    }
}
