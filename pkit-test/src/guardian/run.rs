//! One run of a service, as the test sees it: what its shim has said so far.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::{Duration, Instant};

use super::client::Guardian;
use super::lease::Past;
use super::protocol::{Event, Order, StopPlan};
use crate::exit::Exit;
use crate::limits::REPLY_LIMIT;
use crate::output::Stream;
use crate::output::follow::{Follower, end_of};
use crate::sync::{Monitor, lock};
use crate::sys::bell::Bell;
use crate::sys::child::Step;

/// From the order to start it until nothing of it is left.
pub(crate) struct Run {
    id: u32,
    guardian: Arc<Guardian>,
    log: PathBuf,
    /// Where in the log that begins which concerns this test: behind its first bytes where it was up before the test had it.
    since: u64,
    born: Instant,
    state: Monitor<State>,
    /// Those of the threads that wait for this and for something else.
    bells: Mutex<Vec<Arc<Bell>>>,
    /// Another one, whose waiters look at this one as well.
    told: OnceLock<Weak<Run>>,
}

/// What is known of a run.
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) pid: Option<i32>,
    /// Everything below this process is the service.
    pub(crate) shim: Option<i32>,
    /// How much it has written, as far as we were told.
    pub(crate) output_end: u64,
    /// Somebody had asked for its end before it ended.
    pub(crate) is_asked_to_end: bool,
    /// The test has sent it a signal: an end that was asked for may be a crash that the test wants to see.
    pub(crate) was_signalled: bool,
    /// How many wait for its end who are told what went wrong, or were told.
    pub(crate) listeners: u32,
    /// It took SIGKILL after its grace.
    pub(crate) was_killed: bool,
    /// Its shim cannot say of output by the bell that it was to ring.
    pub(crate) has_no_bell: bool,
    /// The guardian was about to end and has not begun with it.
    pub(crate) was_declined: bool,
    /// The processes that SIGKILL did not end in time.
    pub(crate) stuck: Vec<i32>,
    answers: HashMap<u64, (i32, i32)>,
    on_end: Option<OnEnd>,
}

type OnEnd = Box<dyn FnOnce(&State) + Send>;

/// ```text
///               Started      Refused     Exited          Gone      Lost, Declined
/// Starting      Running      Refused     LeaderEnded     Gone      Lost
/// Running       (never)      (never)     LeaderEnded     Gone      Lost
/// LeaderEnded   (ignored)    (never)     (never)         Gone      Lost
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Starting,
    Refused {
        step: Step,
        errno: i32,
    },
    Running,
    /// The process itself ended, descendants of it live.
    LeaderEnded(Exit),
    Gone(Exit, Instant),
    /// Its shim or the guardian was killed, and it was killed with them.
    Lost {
        with_guardian: bool,
    },
}

impl Phase {
    /// Whether nothing of it is left.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Phase::Refused { .. } | Phase::Gone(..) | Phase::Lost { .. })
    }

    /// Whether it runs as it should: itself, or what it left in the background when it ended with code 0.
    pub(crate) fn is_alive(self) -> bool {
        match self {
            Phase::Starting | Phase::Running => true,
            Phase::LeaderEnded(exit) => exit.success(),
            Phase::Refused { .. } | Phase::Gone(..) | Phase::Lost { .. } => false,
        }
    }

    /// How the process itself ended.
    pub(crate) fn exit(self) -> Option<Exit> {
        match self {
            Phase::LeaderEnded(exit) | Phase::Gone(exit, _) => Some(exit),
            _ => None,
        }
    }
}

/// Why a request was not done.
#[derive(Debug)]
pub(crate) enum NoAnswer {
    /// Nothing of it is left.
    Over(Phase),
    /// The operating system refused.
    Refused(io::Error),
    /// The shim did not answer: somebody has stopped it.
    Silent,
}

impl Run {
    pub(crate) fn new(id: u32, guardian: Arc<Guardian>, log: PathBuf, on_end: OnEnd) -> Run {
        let run = Run::shared(id, guardian, Past { log, bytes: 0, age: Duration::ZERO });
        run.tell_end(on_end);
        run
    }

    /// One that somebody else has ordered.
    pub(super) fn shared(id: u32, guardian: Arc<Guardian>, past: Past) -> Run {
        let now = Instant::now();
        let state = State {
            phase: Phase::Starting,
            pid: None,
            shim: None,
            output_end: 0,
            is_asked_to_end: false,
            was_signalled: false,
            listeners: 0,
            was_killed: false,
            has_no_bell: false,
            was_declined: false,
            stuck: Vec::new(),
            answers: HashMap::new(),
            on_end: None,
        };
        Run {
            id,
            guardian,
            log: past.log,
            since: past.bytes,
            born: now.checked_sub(past.age).unwrap_or(now),
            state: Monitor::new(state),
            bells: Mutex::default(),
            told: OnceLock::new(),
        }
    }

    /// Its orders and events say this.
    pub(crate) fn id(&self) -> u32 {
        self.id
    }

    /// Tells somebody when nothing of it is left, unless that is known already.
    pub(super) fn tell_end(&self, on_end: OnEnd) {
        self.look(|state| state.on_end = (!state.phase.is_over()).then_some(on_end));
    }

    /// How much of its output is older than the test's hold on it.
    pub(crate) fn since(&self) -> u64 {
        self.since
    }

    /// Where its output is.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// How long ago it was ordered.
    pub(crate) fn age(&self) -> Duration {
        self.born.elapsed()
    }

    /// From the order until nothing of it was left, or until now.
    pub(crate) fn lived(&self) -> Duration {
        match self.phase() {
            Phase::Gone(_, at) => at - self.born,
            _ => self.age(),
        }
    }

    pub(crate) fn guardian(&self) -> &Arc<Guardian> {
        &self.guardian
    }

    pub(crate) fn look<R>(&self, look: impl FnOnce(&mut State) -> R) -> R {
        self.state.with(look)
    }

    pub(crate) fn phase(&self) -> Phase {
        self.look(|state| state.phase)
    }

    /// Waits until `look` has an answer, or the deadline.
    pub(crate) fn wait_until<R>(
        &self,
        deadline: Option<Instant>,
        look: impl FnMut(&mut State) -> Option<R>,
    ) -> Option<R> {
        self.state.wait_until(deadline, look)
    }

    /// Waits until nothing of it is left.
    pub(crate) fn wait_over(&self, deadline: Option<Instant>) -> Option<Phase> {
        self.wait_until(deadline, |state| state.phase.is_over().then_some(state.phase))
    }

    /// Wakes whoever waits for this run, to look at something else.
    pub(crate) fn wake(&self) {
        self.state.wake();
        self.ring();
    }

    /// Rings a bell from now on whenever the run changes, as long as the result lives.
    pub(crate) fn heard_by(&self, bell: &Arc<Bell>) -> Hearing<'_> {
        lock(&self.bells).push(Arc::clone(bell));
        Hearing { run: self, bell: Arc::clone(bell) }
    }

    fn ring(&self) {
        lock(&self.bells).iter().for_each(|bell| bell.ring());
    }

    /// Wakes also whoever waits for another run, from now on: they look at both.
    pub(crate) fn tell(&self, other: &Arc<Run>) {
        // There is one that it belongs to.
        let _ = self.told.set(Arc::downgrade(other));
    }

    /// Whether there is somebody who might answer.
    pub(crate) fn can_be_asked(&self) -> bool {
        !self.phase().is_over() && self.guardian.is_ours() && !self.guardian.is_let_go()
    }

    /// Asks for its end. The exit that follows is one that was asked for.
    pub(crate) fn stop(&self, plan: StopPlan) {
        self.send(&Order::Stop(plan));
    }

    /// From now on an end of it is no surprise. From when on exactly, the result waits for.
    pub(crate) fn pardon(&self) -> Asked<'_> {
        self.ask(|token| Order::Pardon { token })
    }

    /// Asks for nothing but an answer: whatever has happened to it before is known then.
    pub(crate) fn sync(&self) -> Asked<'_> {
        self.ask(|token| Order::Sync { token })
    }

    /// Asks the guardian, of a run that nobody has ordered, whether it would take an order.
    pub(super) fn attend(&self) -> Asked<'_> {
        self.ask(|token| Order::Attend { token })
    }

    /// Asks to be told when more than `seen` bytes were written.
    pub(crate) fn watch(&self, seen: u64) {
        self.send(&Order::Watch { seen });
    }

    /// Lets the shim do something and waits for its answer: the id of the process that stands for the service now.
    pub(crate) fn request(&self, order: impl FnOnce(u64) -> Order) -> Result<Option<i32>, NoAnswer> {
        // Nobody is asked any more by a lease that is over.
        let limit = if self.guardian.is_let_go() { Duration::ZERO } else { REPLY_LIMIT };
        self.ask(order).answer(Instant::now() + limit)
    }

    fn ask(&self, order: impl FnOnce(u64) -> Order) -> Asked<'_> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let token = NEXT.fetch_add(1, Ordering::Relaxed);
        self.send(&order(token));
        Asked { run: self, token }
    }

    /// The process that stands for the service: itself, or what it left in the background when it ended with code 0.
    pub(crate) fn pid(&self) -> Option<u32> {
        let pid = match self.phase() {
            Phase::Running => self.look(|state| state.pid),
            Phase::LeaderEnded(exit) if exit.success() => self.request(|token| Order::Sync { token }).ok()?,
            _ => None,
        };
        pid.and_then(|pid| u32::try_from(pid).ok())
    }

    /// What is kept of its output, all that was written before this call included.
    pub(crate) fn text(&self, only: Option<Stream>) -> String {
        if !self.phase().is_over() && self.guardian.is_ours() {
            // Where nobody answers any more, everything is in the file already.
            let _ = self.request(|token| Order::Sync { token });
        }
        let mut bytes = Vec::new();
        let mut follower = Follower::new(&self.log, 0);
        let read = follower.each_until(end_of(&self.log), |piece| {
            if only.is_none_or(|stream| stream == piece.stream) {
                bytes.extend_from_slice(&piece.bytes);
            }
        });
        // What could be read until then is still worth having; a log that is gone is empty.
        let _ = read;
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Takes what the shim said. Called by the one thread that reads.
    pub(super) fn hear(&self, event: Event) {
        self.update(|state| {
            // Of something shared the same may be told twice, by whoever tells it live and by whoever remembers it.
            if !state.phase.is_over() {
                state.hear(event);
            }
        });
    }

    /// The guardian is gone, and everything of it.
    pub(super) fn lose(&self) {
        self.update(|state| {
            if !state.phase.is_over() {
                state.phase = Phase::Lost { with_guardian: true };
            }
        });
    }

    fn update(&self, change: impl FnOnce(&mut State)) {
        self.state.change(|state| {
            change(state);
            if let Some(on_end) = state.on_end.take_if(|_| state.phase.is_over()) {
                on_end(state);
            }
        });
        self.ring();
        // Not under the lock: whoever waits for the other one looks at this one under that of the other.
        if let Some(other) = self.told.get().and_then(Weak::upgrade) {
            other.wake();
        }
    }

    fn send(&self, order: &Order) {
        // A guardian that is gone is heard of as the end of the run.
        let _ = self.guardian.send(&order.to_frame(self.id), None);
    }
}

impl State {
    fn hear(&mut self, event: Event) {
        match event {
            Event::Started { pid, shim } => {
                self.pid = (pid > 0).then_some(pid);
                self.shim = Some(shim);
                if self.phase == Phase::Starting {
                    self.phase = Phase::Running;
                }
            }
            Event::Refused { step, errno } => self.phase = Phase::Refused { step, errno },
            Event::Exited { exit, was_asked } => {
                self.is_asked_to_end = was_asked;
                self.phase = Phase::LeaderEnded(exit);
            }
            Event::NoBell => self.has_no_bell = true,
            Event::Output { end } => self.output_end = self.output_end.max(end),
            Event::Answer { token, errno, pid } => drop(self.answers.insert(token, (errno, pid))),
            Event::Stuck(pids) => self.stuck = pids,
            Event::Gone { exit, was_asked, killed } => {
                // Of a leader that failed the first word holds: what it left is stopped by its shim.
                self.is_asked_to_end |= was_asked && self.phase.is_alive();
                self.was_killed = killed;
                self.phase = Phase::Gone(exit, Instant::now());
            }
            Event::Lost => self.phase = Phase::Lost { with_guardian: false },
            // About no run.
            Event::Note(_) => {}
            Event::Declined => {
                self.was_declined = true;
                self.phase = Phase::Lost { with_guardian: true };
            }
        }
    }
}

/// What a shim was asked to do, and has not answered yet.
pub(crate) struct Asked<'a> {
    run: &'a Run,
    token: u64,
}

impl Asked<'_> {
    /// Waits for its answer: the id of the process that stands for the service now.
    pub(crate) fn answer(self, deadline: Instant) -> Result<Option<i32>, NoAnswer> {
        let answer = self.run.wait_until(Some(deadline), |state| {
            let answer = state.answers.remove(&self.token).map(Ok);
            answer.or_else(|| state.phase.is_over().then_some(Err(NoAnswer::Over(state.phase))))
        });
        match answer {
            None => Err(NoAnswer::Silent),
            Some(Err(over)) => Err(over),
            Some(Ok((0, pid))) => Ok((pid > 0).then_some(pid)),
            Some(Ok((errno, _))) => Err(NoAnswer::Refused(io::Error::from_raw_os_error(errno))),
        }
    }
}

/// A bell that hears of a run.
pub(crate) struct Hearing<'a> {
    run: &'a Run,
    bell: Arc<Bell>,
}

impl Drop for Hearing<'_> {
    fn drop(&mut self) {
        lock(&self.run.bells).retain(|bell| !Arc::ptr_eq(bell, &self.bell));
    }
}

impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run").field("id", &self.id).field("phase", &self.phase()).finish_non_exhaustive()
    }
}
