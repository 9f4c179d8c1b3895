//! The tests of every cell are in `cells`; here are whole lives with mocks that count: no processes, no time.

mod cells;

use std::collections::BTreeMap;
use std::time::Duration;

use super::machine::{End, Limits, Machine, News, Policy, Todo};
use super::policy::{Intensity, Strategy, Supervision};
use crate::sys::child;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// The members of every machine here, by their ids.
const NAMES: [&str; 3] = ["a", "b", "c"];

fn end(code: i32) -> End {
    End { exit: Some(child::End::Code(code).into()), was_asked: false }
}

fn policy(supervision: Supervision) -> Policy {
    Policy { supervision, success: 0 }
}

/// Three members that are up in their first run.
fn machine(limits: Limits, supervision: Supervision) -> Machine {
    let mut machine = Machine::new(limits);
    for (id, name) in (0..).zip(NAMES) {
        machine.join(id, name, policy(supervision));
        machine.hear(id, News::Started { run: 1, policy: policy(supervision) }, Duration::ZERO);
    }
    machine
}

fn all_for(strategy: Strategy) -> Limits {
    Limits { strategy, intensity: None }
}

/// Three processes that only count, and a clock that jumps to wherever somebody waits for.
struct World {
    machine: Machine,
    now: Duration,
    runs: [u32; 3],
    /// How many starts of each are still to fail.
    broken: BTreeMap<usize, u32>,
    /// What was done, and when.
    done: Vec<String>,
}

impl World {
    fn new(limits: Limits, supervision: Supervision) -> World {
        let machine = machine(limits, supervision);
        World { machine, now: Duration::ZERO, runs: [1; 3], broken: BTreeMap::new(), done: Vec::new() }
    }

    fn crash(&mut self, id: usize) -> &mut World {
        self.exit(id, end(1))
    }

    fn exit(&mut self, id: usize, end: End) -> &mut World {
        let run = self.runs[id];
        self.machine.hear(id as u64, News::Exited { run, end }, self.now);
        self.settle()
    }

    fn hear(&mut self, id: usize, news: News) -> &mut World {
        self.machine.hear(id as u64, news, self.now);
        self
    }

    fn pass(&mut self, time: Duration) -> &mut World {
        self.now += time;
        self
    }

    /// Does all that is to be done, as a driver would.
    fn settle(&mut self) -> &mut World {
        loop {
            match self.machine.next(self.now) {
                Todo::Stop { id, run } => self.stop(id as usize, run),
                Todo::Start { id } => self.start(id as usize),
                Todo::GiveUp { id } => self.note("give up", id as usize),
                Todo::Sleep { until: Some(until) } => self.now = self.now.max(until),
                Todo::Sleep { until: None } => return self,
            }
            assert!(self.done.len() < 1000, "it spins");
        }
    }

    fn stop(&mut self, id: usize, run: u32) {
        assert_eq!(run, self.runs[id], "nobody stops a run that is not there");
        self.note("stop", id);
        let asked = End { was_asked: true, ..end(1) };
        self.machine.hear(id as u64, News::Exited { run, end: asked }, self.now);
        self.machine.hear(id as u64, News::Stopped, self.now);
    }

    fn start(&mut self, id: usize) {
        self.note("start", id);
        self.runs[id] += 1;
        let run = self.runs[id];
        if let Some(left) = self.broken.get_mut(&id).filter(|left| **left > 0) {
            *left -= 1;
            // It exits before it is ready: both are news.
            self.machine.hear(id as u64, News::Exited { run, end: end(2) }, self.now);
            let why = format!("`{}` exited before it was ready", NAMES[id]);
            return self.machine.hear(id as u64, News::StartFailed { why }, self.now);
        }
        let policy = self.machine.policy_of(id as u64);
        self.machine.hear(id as u64, News::Started { run, policy }, self.now);
    }

    fn note(&mut self, what: &str, id: usize) {
        self.done.push(format!("{what} {} at {}", NAMES[id], self.now.as_millis()));
    }

    #[track_caller]
    fn did(&mut self, expected: &str) -> &mut World {
        assert_eq!(std::mem::take(&mut self.done).join(", "), expected);
        self
    }
}

#[test]
fn one_for_one_starts_it_alone() {
    let mut world = World::new(Limits::default(), Supervision::permanent());
    world.crash(1).did("start b at 0");
    world.crash(0).did("start a at 0");
}

#[test]
fn one_for_all_stops_in_reverse_and_starts_in_order() {
    let mut world = World::new(all_for(Strategy::OneForAll), Supervision::permanent());
    world.crash(1).did("stop c at 0, stop a at 0, start a at 0, start b at 0, start c at 0");
}

#[test]
fn rest_for_one_takes_those_along_that_come_after_it() {
    let mut world = World::new(all_for(Strategy::RestForOne), Supervision::permanent());
    world.crash(1).did("stop c at 0, start b at 0, start c at 0");
    world.crash(0).did("stop c at 0, stop b at 0, start a at 0, start b at 0, start c at 0");
    world.crash(2).did("start c at 0");
}

#[test]
fn who_was_down_stays_down() {
    for strategy in [Strategy::OneForAll, Strategy::RestForOne] {
        let mut world = World::new(all_for(strategy), Supervision::transient());
        world.hear(1, News::StopAsked { run: 1 }).exit(2, end(0)).did("");
        world.crash(0).did("start a at 0");
    }
}

#[test]
fn others_wait_for_the_pause_of_the_one_that_crashed() {
    let slowly = Supervision::permanent().backoff(MS * 10, MS * 40);
    let mut world = World::new(all_for(Strategy::OneForAll), slowly);
    world.crash(1).did("stop c at 0, stop a at 0, start a at 10, start b at 10, start c at 10");
}

#[test]
fn a_start_that_fails_takes_down_what_came_up_before_it() {
    let mut world = World::new(all_for(Strategy::OneForAll), Supervision::permanent());
    world.broken.insert(1, 1);
    let first = "stop c at 0, stop b at 0, start a at 0, start b at 0";
    world.crash(0).did(&format!("{first}, stop a at 0, start a at 0, start b at 0, start c at 0"));
}

#[test]
fn one_that_crashes_while_others_are_started_takes_all_along_once_more() {
    let mut world = World::new(all_for(Strategy::OneForAll), Supervision::permanent());
    world.machine.hear(0, News::Exited { run: 1, end: end(1) }, Duration::ZERO);
    world.hear(1, News::Stopped).hear(2, News::StopAsked { run: 1 });
    // While the driver starts `a`, somebody starts `c`, which crashes at once.
    world.stop(1, 1);
    assert_eq!(world.machine.next(Duration::ZERO), Todo::Start { id: 0 });
    let policy = world.machine.policy_of(2);
    world.hear(2, News::Started { run: 2, policy }).hear(2, News::Exited { run: 2, end: end(1) });
    world.runs = [2, 1, 2];
    world.hear(0, News::Started { run: 2, policy });
    world.settle().did("stop b at 0, stop a at 0, start a at 0, start b at 0, start c at 0");
}

#[test]
fn pauses_double_up_to_the_most_and_begin_again_after_a_long_life() {
    let slowly = Supervision::permanent().backoff(MS * 10, MS * 35).intensity(9, SECOND);
    let mut world = World::new(Limits::default(), slowly);
    world.crash(0).crash(0).crash(0).crash(0);
    world.did("start a at 10, start a at 30, start a at 65, start a at 100");
    world.pass(MS * 999).crash(0).did("start a at 1134");
    world.pass(SECOND).crash(0).did("start a at 2144");
}

#[test]
fn the_first_restart_is_at_once_where_nothing_is_said() {
    let mut world = World::new(Limits::default(), Supervision::permanent());
    world.crash(0).crash(0).crash(0).did("start a at 0, start a at 50, start a at 150");
}

#[test]
fn a_pause_of_nothing_is_one_all_the_same() {
    let at_once = Supervision::permanent().backoff(Duration::ZERO, Duration::ZERO);
    World::new(Limits::default(), at_once).crash(0).crash(0).did("start a at 1, start a at 2");
}

#[test]
fn what_must_not_be_started_as_often_is_given_up_once() {
    let mut world = World::new(Limits::default(), Supervision::permanent().intensity(2, SECOND).backoff(MS, MS));
    world.crash(0).crash(0).crash(0).did("start a at 1, start a at 2, give up a at 2");
    assert_eq!(world.machine.why(), "`a` was given up: it may be started again 2 times in 1 s");
    assert_eq!(
        world.machine.history(),
        "after 0 ms: `a` ended: exit code 1\nafter 1 ms: `a` is up again\nafter 1 ms: `a` ended: exit code 1\n\
         after 2 ms: `a` is up again\nafter 2 ms: `a` ended: exit code 1"
    );
    world.crash(1).did("");
}

#[test]
fn restarts_are_forgotten_after_the_period() {
    let mut world = World::new(Limits::default(), Supervision::permanent().intensity(2, SECOND).backoff(MS, MS));
    for _ in 0..20 {
        world.crash(0).pass(MS * 600);
    }
    assert_eq!(world.done.iter().filter(|done| done.starts_with("start")).count(), 20, "{:?}", world.done);
}

#[test]
fn each_has_an_intensity_of_its_own_and_all_have_one_together() {
    let once = Supervision::permanent().intensity(1, SECOND);
    World::new(Limits::default(), once).crash(0).crash(1).crash(2).did("start a at 0, start b at 0, start c at 0");
    let limits = Limits { intensity: Some(Intensity { most: 2, period: SECOND }), ..Limits::default() };
    let mut world = World::new(limits, once);
    world.crash(0).crash(1).crash(2).did("start a at 0, start b at 0, give up c at 0");
    assert_eq!(world.machine.why(), "`c` was given up: its stack may be started again 2 times in 1 s");
}

#[test]
fn starts_that_fail_count_as_crashes() {
    let mut world = World::new(Limits::default(), Supervision::transient().intensity(3, SECOND * 60));
    world.broken.insert(0, 99);
    world.crash(0).did("start a at 0, start a at 50, start a at 150, give up a at 150");
}

#[test]
fn a_member_that_goes_down_with_others_does_not_count() {
    let mut world = World::new(all_for(Strategy::OneForAll), Supervision::permanent().intensity(2, SECOND));
    world.crash(0).crash(1).crash(2).crash(0).crash(1).crash(2);
    assert!(!world.done.iter().any(|done| done.starts_with("give up")), "{:?}", world.done);
    world.crash(1);
    assert!(world.done.last().unwrap().starts_with("give up b"), "{:?}", world.done);
}

#[test]
fn temporary_ones_are_taken_along_and_never_a_reason() {
    let mut world = World::new(all_for(Strategy::OneForAll), Supervision::permanent());
    world.hear(2, News::Started { run: 1, policy: policy(Supervision::temporary()) });
    world.crash(0).did("stop c at 0, stop b at 0, start a at 0, start b at 0, start c at 0");
    world.crash(2).did("");
    world.crash(0).did("stop b at 0, start a at 50, start b at 50");
}

// --- Which exit is which ---------------------------------------------------------------------------------------------

#[test]
fn each_kind_wants_its_own_exits_back() {
    let signal = End { exit: Some(child::End::Signal { number: 9, core_dumped: false }.into()), was_asked: false };
    let lost = End { exit: None, was_asked: false };
    let asked = End { was_asked: true, ..end(1) };
    let ends = [end(0), end(1), end(3), signal, lost, asked];
    let wanted = |supervision, success| ends.map(|end| Policy { supervision, success }.wants_back(end)).map(u8::from);
    assert_eq!(wanted(Supervision::permanent(), 0), [1, 1, 1, 1, 1, 0]);
    assert_eq!(wanted(Supervision::transient(), 0), [0, 1, 1, 1, 1, 0]);
    assert_eq!(wanted(Supervision::transient(), 3), [1, 1, 0, 1, 1, 0]);
    assert_eq!(wanted(Supervision::temporary(), 0), [0; 6]);
}

#[test]
fn the_history_has_a_bound() {
    let tireless = Supervision::permanent().intensity(u32::MAX, SECOND).backoff(MS, MS);
    let mut world = World::new(Limits::default(), tireless);
    for _ in 0..80 {
        world.crash(0);
    }
    let history = world.machine.history();
    assert!(history.starts_with("(60 lines before)\n") && history.lines().count() == 101, "{history}");
}
