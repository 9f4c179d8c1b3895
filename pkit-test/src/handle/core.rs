//! What all handles of one process share.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Duration;

use super::awaited::Awaited;
use super::held::Held;
use crate::callbacks::Pending;
use crate::error::{Error, Kind, Result};
use crate::exit::Exit;
use crate::ground::Ground;
use crate::guardian::protocol::StopPlan;
use crate::guardian::run::{Phase, Run};
use crate::parcel::Parcel;
use crate::place::Place;
use crate::ready::Round;
use crate::record::Noted;
use crate::spec::Spec;
use crate::supervise::Desk;
use crate::sync::{Monitor, lock};

/// One process from its first start to the drop of its handle, over all its runs.
pub(crate) struct Core {
    /// No other process of this test has it.
    pub(crate) id: u64,
    place: Arc<Place>,
    pub(crate) ground: Ground,
    directory: OnceLock<PathBuf>,
    pub(super) life: Monitor<Life>,
    /// Held while a start is under way: two at once would be two runs.
    pub(crate) starting: Mutex<()>,
    pub(crate) callbacks: Arc<Pending>,
    pub(crate) record: Noted,
    /// Where its supervisor hears of it: that of its stack, or one for it alone where it is started by itself, also as one
    /// of several parts of an executor.
    pub(crate) desk: Arc<Desk>,
    /// Those that need it and end before it.
    dependents: Mutex<Vec<Weak<Core>>>,
    /// Of what others have as well: by what this test has it.
    pub(super) held: Option<Held>,
}

/// What changes in the life of a process.
pub(crate) struct Life {
    pub(crate) spec: Spec,
    pub(crate) run: Option<Arc<Run>>,
    pub(crate) starts: u32,
    /// The command line of the current run, for people.
    pub(crate) ran: String,
    pub(crate) ready_after: Option<Duration>,
    /// The probes of the current run.
    pub(crate) round: Arc<Mutex<Round>>,
    /// What the function of the current run was given, and what it hands back.
    pub(crate) parcel: Option<Arc<Parcel>>,
    /// Where somebody listened already when the current run was ordered.
    pub(crate) served: Vec<SocketAddr>,
    /// Its ports that not every server could bind then, although nobody listened.
    pub(crate) obstructed: Vec<u16>,
    /// It is ready, and its callbacks have run.
    pub(crate) is_started: bool,
    /// A callback did not come to its end when it was waited for.
    pub(crate) has_late_callback: bool,
    /// How the runs before the current one ended.
    pub(crate) last_exit: Option<Exit>,
    /// What went wrong in runs that are over.
    pub(crate) troubles: Vec<Error>,
    /// The current run was looked at already.
    pub(crate) is_settled: bool,
    pub(crate) logs: Vec<PathBuf>,
    pub(crate) was_dropped: bool,
    /// Its end has begun: a callback or another thread that starts it again comes too late.
    pub(crate) is_retired: bool,
    /// The test wants it to be down: it has stopped it, or has seen it fail to start.
    pub(crate) is_left_down: bool,
    /// How many calls of the test have brought it down to start it again.
    pub(crate) hands: u32,
    /// Its supervisor has, because another one has crashed.
    pub(crate) is_halted: bool,
    /// How often any of this has changed in a way that somebody may wait for.
    pub(crate) changes: u64,
    /// It went down with something that it needs, and comes up with that.
    pub(crate) is_taken_down: bool,
    /// What is worth saying when the test has failed anyway.
    pub(crate) notes: Vec<String>,
    /// Its supervisor does not start it again.
    pub(crate) given_up: Option<Farewell>,
}

/// What a supervisor says when it gives up.
#[derive(Debug, Clone)]
pub(crate) struct Farewell {
    pub(crate) why: String,
    pub(crate) history: String,
}

impl Life {
    /// Of one that was not started yet.
    fn new(spec: Spec) -> Life {
        Life {
            spec,
            run: None,
            starts: 0,
            ran: String::new(),
            ready_after: None,
            round: Arc::default(),
            parcel: None,
            served: Vec::new(),
            obstructed: Vec::new(),
            is_started: false,
            has_late_callback: false,
            last_exit: None,
            troubles: Vec::new(),
            is_settled: true,
            logs: Vec::new(),
            was_dropped: false,
            is_retired: false,
            is_left_down: false,
            hands: 0,
            is_halted: false,
            changes: 0,
            is_taken_down: false,
            notes: Vec::new(),
            given_up: None,
        }
    }
}

impl Core {
    pub(crate) fn new(place: Arc<Place>, ground: Ground, spec: Spec) -> Arc<Core> {
        let scope = ground.scope();
        let desk = if scope.is_managed { Arc::clone(&scope.desk) } else { Desk::new(None) };
        Core::with_desk(place, ground, spec, desk, None)
    }

    /// That of what somebody else has started: no supervisor of this test hears of it.
    pub(crate) fn attached(place: Arc<Place>, ground: Ground, spec: Spec, held: Held) -> Arc<Core> {
        Core::with_desk(place, ground, spec, Desk::new(None), Some(held))
    }

    fn with_desk(place: Arc<Place>, ground: Ground, spec: Spec, desk: Arc<Desk>, held: Option<Held>) -> Arc<Core> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let of_test = &ground.scope().part.record;
        let record = of_test.process(&place.name, place.number, place.address(""));
        if held.is_some() {
            record.is_shared();
        }
        Arc::new(Core {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            place,
            ground,
            directory: OnceLock::new(),
            life: Monitor::new(Life::new(spec)),
            starting: Mutex::new(()),
            callbacks: Arc::default(),
            record,
            desk,
            dependents: Mutex::default(),
            held,
        })
    }

    pub(crate) fn place(&self) -> &Arc<Place> {
        &self.place
    }

    pub(crate) fn life<R>(&self, look: impl FnOnce(&mut Life) -> R) -> R {
        self.life.with(look)
    }

    /// The same, and whoever waits for a restart looks again.
    pub(crate) fn change_life<R>(&self, change: impl FnOnce(&mut Life) -> R) -> R {
        self.life.change(|life| {
            life.changes += 1;
            change(life)
        })
    }

    pub(crate) fn spec(&self) -> Spec {
        self.life(|life| life.spec.clone())
    }

    pub(crate) fn parcel(&self) -> Option<Arc<Parcel>> {
        self.life(|life| life.parcel.clone())
    }

    pub(crate) fn run(&self) -> Option<Arc<Run>> {
        self.life(|life| life.run.clone())
    }

    pub(crate) fn run_or_error(&self, doing: &str) -> Result<Arc<Run>> {
        Ok(self.run_with_parcel(doing)?.0)
    }

    /// The current run of a function, to wait for what comes of it.
    pub(crate) fn awaited(&self, doing: &str) -> Result<Awaited> {
        self.run_with_parcel(doing).map(|(run, parcel)| Awaited::new(run, parcel))
    }

    /// Looked at together, since another start may come at any time.
    fn run_with_parcel(&self, doing: &str) -> Result<(Arc<Run>, Option<Arc<Parcel>>)> {
        let (run, parcel) = self.life(|life| (life.run.clone(), life.parcel.clone()));
        let run = run.ok_or_else(|| {
            Error::new(Kind::State, format!("cannot {doing}: `{}` was never started", self.place.name))
        })?;
        if run.guardian().is_ours() {
            return Ok((run, parcel));
        }
        let title = format!("cannot {doing}: `{}` belongs to the process that started it", self.place.name);
        Err(Error::new(Kind::State, title).fact("why", "this process is a fork of it"))
    }

    /// Why something cannot be done with a process that is over.
    pub(crate) fn ended_error(&self, doing: &str, phase: Phase) -> Error {
        let name = &self.place.name;
        match phase {
            Phase::Lost { with_guardian: true } => {
                Error::new(Kind::GuardianLost, format!("cannot {doing}: the guardian was killed, and `{name}` with it"))
            }
            Phase::Lost { with_guardian: false } => Error::new(
                Kind::GuardianLost,
                format!("cannot {doing}: the shim of `{name}` was killed, and `{name}` with it"),
            ),
            phase => {
                let error = Error::new(Kind::State, format!("cannot {doing}: `{name}` has ended"));
                phase.exit().into_iter().fold(error, Error::with_exit)
            }
        }
    }

    pub(crate) fn directory(&self) -> &Path {
        self.directory.get_or_init(|| match self.place.directory() {
            Ok(path) => path,
            Err(error) => panic!("{error}"),
        })
    }

    /// The process that stands for it: what it left in the background where it has ended itself.
    pub(crate) fn pid(&self) -> Option<u32> {
        self.run()?.pid()
    }

    /// Whether nothing of it is left, or nothing was ever started.
    pub(crate) fn is_over(&self) -> bool {
        self.run().is_none_or(|run| run.phase().is_over())
    }

    /// How it ended the last time.
    pub(crate) fn last_exit(&self) -> Option<Exit> {
        self.life(|life| life.run.as_ref().and_then(|run| run.phase().exit()).or(life.last_exit))
    }

    /// Lets nothing be started here any more. A start that is under way is found as the current run by whoever stops
    /// it after this.
    pub(crate) fn retire(&self) {
        self.change_life(|life| life.is_retired = true);
    }

    pub(crate) fn is_retired(&self) -> bool {
        self.life(|life| life.is_retired)
    }

    /// Wakes whoever waits for it.
    pub(crate) fn wake(&self) {
        if let Some(run) = self.run() {
            run.wake();
        }
    }

    pub(crate) fn add_dependent(self: &Arc<Core>, dependent: &Arc<Core>) {
        // Whoever would have to end before itself has said something about itself, and not about an order.
        if dependent.is_needed_by(self) {
            return;
        }
        let mut dependents = lock(&self.dependents);
        dependents.retain(|known| known.strong_count() > 0 && !std::ptr::eq(known.as_ptr(), Arc::as_ptr(dependent)));
        dependents.push(Arc::downgrade(dependent));
    }

    /// Whether `other` is this process, or needs it.
    fn is_needed_by(self: &Arc<Core>, other: &Arc<Core>) -> bool {
        let mut seen = Vec::new();
        let mut next = vec![Arc::clone(self)];
        while let Some(core) = next.pop() {
            if Arc::ptr_eq(&core, other) {
                return true;
            }
            if !seen.iter().any(|known| Arc::ptr_eq(known, &core)) {
                next.extend(core.dependents());
                seen.push(core);
            }
        }
        false
    }

    /// Those that need it, the newest first.
    pub(crate) fn dependents(&self) -> Vec<Arc<Core>> {
        let mut dependents: Vec<_> = lock(&self.dependents).iter().filter_map(Weak::upgrade).collect();
        dependents.sort_by_key(|dependent| std::cmp::Reverse(dependent.place.number));
        dependents
    }

    pub(crate) fn is_managed(&self) -> bool {
        self.ground.scope().is_managed
    }
}

/// Brings them into the order of their stack: as they were written, but each behind what it needs.
pub(crate) fn in_order(cores: &mut Vec<Arc<Core>>) {
    cores.sort_by_key(|core| (core.place().number, core.id));
    let mut left: Vec<_> = std::mem::take(cores).into_iter().map(|core| (ids(&core.dependents()), core)).collect();
    while !left.is_empty() {
        let waiting: Vec<u64> = left.iter().flat_map(|(dependents, _)| dependents.iter().copied()).collect();
        // There is no circle in what needs what.
        let next = left.iter().position(|(_, core)| !waiting.contains(&core.id)).unwrap_or(0);
        cores.push(left.remove(next).1);
    }
}

fn ids(cores: &[Arc<Core>]) -> Vec<u64> {
    cores.iter().map(|core| core.id).collect()
}

impl<H> Spec<H> {
    /// How it is stopped, with the timeout that the settings make of its own.
    pub(crate) fn stop_plan(&self) -> StopPlan {
        let grace = crate::config::scaled(self.stop_timeout);
        StopPlan {
            signal: self.stop_signal.number(),
            grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
            then_kill: true,
        }
    }
}

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").field("place", &self.place).finish_non_exhaustive()
    }
}
