//! What a supervisor does about its processes: a state machine without processes and without a clock.
//!
//! It hears news, each with the time at which it is heard, and says what to do next; whoever does it tells it what came
//! of it as news again. A member is in one of these states:
//!
//! ```text
//!            Exited       StopAsked   Started          StartFailed  Stopped      its time has come
//! Up         crash (1)    -> Down (4) -> Up            (stale)      (stale)      (none)
//! Waiting    (noted)      -> Down (4) -> Up (2)        (stale)      (stale)      -> Starting, and start it (3)
//! Starting   (noted)      -> Down (4) -> Up (2)        crash        (stale)      (none)
//! Stopping   (noted)      -> Down (4) its run is next  (stale)      -> Waiting   stop its run
//! Down       (noted)      (was said)  -> Up (2)        (stale)      (stale)      (none)
//! ```
//! (1) Where its supervision says so; every other exit of the current run leads to Down. That of an earlier run is known.
//! (2) Somebody has started it: the driver, or the test beside it. A run whose exit was noted before goes on as if it had
//! been Up and had exited now.
//! (3) The first of those that may, and nobody while somebody is Stopping.
//! (4) Unless it was said of an earlier run: the test has started it again since, and a supervisor that looked around
//! after that hears the word only then.
//!
//! A *crash* is one of the few that an intensity allows, or the end of everything: GiveUp, after which nothing is heard.
//! Otherwise it is Waiting for its pause to pass, and the strategy takes others along: who is Up or Starting is Stopping,
//! who is Waiting or Stopping waits as long.

use std::collections::VecDeque;
use std::time::Duration;

use super::history::History;
use super::policy::{Intensity, Strategy, Supervision};
use crate::duration::in_words;
use crate::exit::Exit;

/// What is new.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum News {
    /// Nothing is left of a run.
    Exited { run: u32, end: End },
    /// The test wants it to be down, said when this was its last run.
    StopAsked { run: u32 },
    /// A run is ready, whoever started it. It lives as this says.
    Started { run: u32, policy: Policy },
    /// A start that was asked for came to nothing.
    StartFailed { why: String },
    /// A stop that was asked for is done.
    Stopped,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct End {
    /// `None` where it was killed with its shim or with the guardian.
    pub(crate) exit: Option<Exit>,
    pub(crate) was_asked: bool,
}

/// How a member is to live.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Policy {
    pub(crate) supervision: Supervision,
    /// The exit code of a success.
    pub(crate) success: i32,
}

impl Policy {
    /// Whether it is to be started again after this end.
    pub(crate) fn wants_back(self, end: End) -> bool {
        self.supervision.wants_back(end, self.success)
    }
}

/// What is to be done now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Todo {
    /// Stop that run, and tell when it is done.
    Stop { id: u64, run: u32 },
    /// Start it, and tell when it is ready, or why it is not.
    Start { id: u64 },
    /// Stop everything for good. That one was the last straw.
    GiveUp { id: u64 },
    /// Nothing until there is news, or until then.
    Sleep { until: Option<Duration> },
}

/// What a stack says of all its processes.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Option<Intensity>,
}

/// Times are those since it was made.
#[derive(Debug)]
pub(crate) struct Machine {
    strategy: Strategy,
    /// In the order of the stack.
    members: Vec<Member>,
    restarts: Option<Meter>,
    history: History,
    verdict: Verdict,
}

#[derive(Debug)]
struct Member {
    id: u64,
    name: String,
    policy: Policy,
    state: State,
    run: u32,
    /// The last run that is known to be over.
    ended: Option<(u32, End)>,
    /// How many restarts have come without a long life between them.
    streak: u32,
    restarts: Meter,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum State {
    Up { since: Duration },
    Waiting { until: Duration },
    Starting,
    Stopping { until: Duration },
    Down,
}

#[derive(Debug, PartialEq)]
enum Verdict {
    GoesOn,
    TooMuch { id: u64, why: String },
    Said { why: String },
}

/// Counts restarts in a window of time.
#[derive(Debug)]
struct Meter {
    limit: Intensity,
    times: VecDeque<Duration>,
}

impl Machine {
    pub(crate) fn new(limits: Limits) -> Machine {
        Machine {
            strategy: limits.strategy,
            members: Vec::new(),
            restarts: limits.intensity.map(Meter::new),
            history: History::default(),
            verdict: Verdict::GoesOn,
        }
    }

    /// Adds a member behind all others. It is Down until it is said to have been started.
    pub(crate) fn join(&mut self, id: u64, name: &str, policy: Policy) {
        let restarts = Meter::new(policy.supervision.limit());
        let name = name.to_owned();
        self.members.push(Member { id, name, policy, state: State::Down, run: 0, ended: None, streak: 0, restarts });
    }

    pub(crate) fn hear(&mut self, id: u64, news: News, now: Duration) {
        let Some(index) = self.members.iter().position(|member| member.id == id) else { return };
        if self.verdict != Verdict::GoesOn {
            return;
        }
        match news {
            News::Exited { run, end } => self.exited(index, run, end, now),
            News::StopAsked { run } => self.stop_asked(index, run),
            News::Started { run, policy } => self.started(index, run, policy, now),
            News::StartFailed { why } => self.start_failed(index, &why, now),
            News::Stopped => self.stopped(index),
        }
    }

    /// What to do next. Until that is done and told, the answer is about something else.
    pub(crate) fn next(&mut self, now: Duration) -> Todo {
        if let Verdict::TooMuch { id, why } = &mut self.verdict {
            let (id, why) = (*id, std::mem::take(why));
            self.verdict = Verdict::Said { why };
            return Todo::GiveUp { id };
        }
        if self.verdict != Verdict::GoesOn {
            return Todo::Sleep { until: None };
        }
        if let Some(last) = self.members.iter().rev().find(|member| matches!(member.state, State::Stopping { .. })) {
            return Todo::Stop { id: last.id, run: last.run };
        }
        let is_due = |member: &&mut Member| matches!(member.state, State::Waiting { until } if until <= now);
        if let Some(first) = self.members.iter_mut().find(is_due) {
            first.state = State::Starting;
            return Todo::Start { id: first.id };
        }
        let times = self.members.iter().filter_map(|member| match member.state {
            State::Waiting { until } => Some(until),
            _ => None,
        });
        Todo::Sleep { until: times.min() }
    }

    /// Why it gave up, once it has.
    pub(crate) fn why(&self) -> &str {
        match &self.verdict {
            Verdict::GoesOn => "",
            Verdict::TooMuch { why, .. } | Verdict::Said { why } => why,
        }
    }

    /// All exits and restarts with their times, a line each.
    pub(crate) fn history(&self) -> String {
        self.history.text()
    }

    #[cfg(test)]
    pub(super) fn state_of(&self, id: u64) -> &'static str {
        match self.members[id as usize].state {
            State::Up { .. } => "Up",
            State::Waiting { .. } => "Waiting",
            State::Starting => "Starting",
            State::Stopping { .. } => "Stopping",
            State::Down => "Down",
        }
    }

    #[cfg(test)]
    pub(super) fn policy_of(&self, id: u64) -> Policy {
        self.members[id as usize].policy
    }

    fn exited(&mut self, index: usize, run: u32, end: End, now: Duration) {
        let member = &mut self.members[index];
        if member.knows_end_of(run) {
            return;
        }
        member.ended = Some((run, end));
        self.history.note(now, format!("`{}` {end}", member.name));
        if run == member.run && matches!(member.state, State::Up { .. }) {
            self.ended(index, end, now);
        }
    }

    /// One that was up is not any more.
    fn ended(&mut self, index: usize, end: End, now: Duration) {
        let member = &mut self.members[index];
        match member.policy.wants_back(end) {
            true => self.crash(index, now),
            false => member.state = State::Down,
        }
    }

    fn started(&mut self, index: usize, run: u32, policy: Policy, now: Duration) {
        let member = &mut self.members[index];
        if run < member.run || run == member.run && member.knows_end_of(run) {
            // Two have told of it, and the later word comes too late.
            return;
        }
        if run > member.run && member.run > 0 {
            self.history.note(now, format!("`{}` is up again", member.name));
        }
        (member.run, member.policy) = (run, policy);
        member.restarts.limit = policy.supervision.limit();
        if matches!(member.state, State::Stopping { .. }) {
            return;
        }
        let known = member.ended.filter(|(ended, _)| *ended == run);
        if !matches!(member.state, State::Up { .. }) {
            member.state = State::Up { since: now };
        }
        if let Some((_, end)) = known {
            self.ended(index, end, now);
        }
    }

    fn stop_asked(&mut self, index: usize, run: u32) {
        let member = &mut self.members[index];
        if run >= member.run {
            member.state = State::Down;
        }
    }

    fn start_failed(&mut self, index: usize, why: &str, now: Duration) {
        if self.members[index].state == State::Starting {
            self.history.note(now, why);
            self.crash(index, now);
        }
    }

    fn stopped(&mut self, index: usize) {
        let member = &mut self.members[index];
        if let State::Stopping { until } = member.state {
            member.state = State::Waiting { until };
        }
    }

    /// It is to be started again, if that is allowed, and others with it.
    fn crash(&mut self, index: usize, now: Duration) {
        let member = &mut self.members[index];
        member.forget_streak(now);
        if !member.restarts.allows(now) {
            let why = format!("`{}` was given up: it may {}", member.name, member.restarts.limit);
            return self.give_up(index, why);
        }
        if self.restarts.as_mut().is_some_and(|all| !all.allows(now)) {
            let all = self.restarts.as_ref().map(|all| all.limit.to_string()).unwrap_or_default();
            let why = format!("`{}` was given up: its stack may {all}", self.members[index].name);
            return self.give_up(index, why);
        }
        let member = &mut self.members[index];
        let until = now + member.policy.supervision.pause(member.streak);
        member.streak = member.streak.saturating_add(1);
        member.state = State::Waiting { until };
        for other in self.taken_along(index) {
            self.members[other].go_along(until);
        }
    }

    fn give_up(&mut self, index: usize, why: String) {
        self.verdict = Verdict::TooMuch { id: self.members[index].id, why };
    }

    fn taken_along(&self, index: usize) -> Vec<usize> {
        match self.strategy {
            Strategy::OneForOne => Vec::new(),
            Strategy::OneForAll => (0..self.members.len()).filter(|other| *other != index).collect(),
            Strategy::RestForOne => (index + 1..self.members.len()).collect(),
        }
    }
}

impl Member {
    fn knows_end_of(&self, run: u32) -> bool {
        self.ended.is_some_and(|(ended, _)| run <= ended)
    }

    /// Whoever has lived for long begins anew.
    fn forget_streak(&mut self, now: Duration) {
        if matches!(self.state, State::Up { since } if now.saturating_sub(since) >= self.restarts.limit.period) {
            self.streak = 0;
        }
    }

    /// Another one has crashed, and is started again then.
    fn go_along(&mut self, then: Duration) {
        self.state = match self.state {
            State::Up { .. } | State::Starting => State::Stopping { until: then },
            State::Waiting { until } => State::Waiting { until: until.max(then) },
            State::Stopping { until } => State::Stopping { until: until.max(then) },
            State::Down => State::Down,
        };
    }
}

impl Meter {
    fn new(limit: Intensity) -> Meter {
        Meter { limit, times: VecDeque::new() }
    }

    /// Counts one more, if the limit allows it.
    fn allows(&mut self, now: Duration) -> bool {
        let Intensity { most, period } = self.limit;
        while self.times.front().is_some_and(|time| now.saturating_sub(*time) > period) {
            self.times.pop_front();
        }
        let is_allowed = self.times.len() < most as usize;
        if is_allowed {
            self.times.push_back(now);
        }
        is_allowed
    }
}

impl std::fmt::Display for Intensity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let times = if self.most == 1 { "once".to_owned() } else { format!("{} times", self.most) };
        write!(f, "be started again {times} in {}", in_words(self.period))
    }
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.exit {
            Some(exit) if self.was_asked => write!(f, "was stopped: {exit}"),
            Some(exit) => write!(f, "ended: {exit}"),
            None => f.write_str("was killed together with its shim or the guardian"),
        }
    }
}
