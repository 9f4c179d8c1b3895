//! What happens to the processes of a test, as it is noted.
//!
//! ```text
//! of a run    ready       stop asked   ended, asked or allowed   ended otherwise   not run     early or late
//! Starting    Ready       Stopping     Ended                     Died              Failed      Failed
//! Ready       (again)     Stopping     Ended                     Died              (never)     (never)
//! Stopping    (noted)     (again)      Ended                     Died              (never)     Failed
//! Ended       (noted)     (ignored)    (never)                   (never)           Failed      Failed
//! Died        (noted)     (ignored)    (never)                   (never)           Failed      Failed
//! Failed      (never)     (ignored)    (noted)                   (noted)           (again)     (again)
//! ```
//! What is noted has its moment and changes no state: a quick process has ended before anybody looked whether it is ready.

use std::collections::VecDeque;
use std::fmt;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::values::{ProcessRecord, ProcessState, RunRecord};
use crate::exit::Exit;
use crate::limits::{RECORDED_PROCESSES, RECORDED_RUNS};
use crate::sync::lock;

/// The record of one test.
#[derive(Clone)]
pub(crate) struct Record {
    shared: Arc<Shared>,
}

struct Shared {
    /// No other record of this process has it.
    number: u64,
    began: Instant,
    kept: Mutex<Kept>,
}

/// What is kept of a test.
#[derive(Default)]
pub(super) struct Kept {
    /// In order of start.
    entries: VecDeque<Arc<Entry>>,
    /// How many are left out at the front.
    forgotten: usize,
    /// What is up and will report at its end: scopes, and handles by themselves.
    pub(super) open_scopes: usize,
    pub(super) open_handles: usize,
    /// From here on the next report tells.
    pub(super) reported_until: Duration,
}

/// One process of the record.
#[derive(Debug)]
struct Entry {
    name: String,
    /// Larger than that of every process that was written before it.
    number: u64,
    addr: Option<SocketAddr>,
    history: Mutex<History>,
}

#[derive(Debug, Default)]
struct History {
    /// Other tests have it as well.
    is_shared: bool,
    spec: String,
    /// How often a run was ordered.
    orders: u32,
    runs: VecDeque<RunRecord>,
    forgotten: usize,
    reported: Reported,
}

/// Whether a report has told of it already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Reported {
    #[default]
    Not,
    WhileUp,
    WhenOver,
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RunEnd {
    pub(crate) pid: Option<i32>,
    pub(crate) exit: Option<Exit>,
    pub(crate) was_asked: bool,
    pub(crate) was_allowed: bool,
}

/// What a report has to tell.
pub(super) struct Story {
    pub(super) processes: Vec<ProcessRecord>,
    /// How many processes are left out.
    pub(super) forgotten: usize,
    pub(super) from: Duration,
    pub(super) to: Duration,
    /// None of it was told before.
    pub(super) is_news: bool,
}

impl Record {
    pub(super) fn new() -> Record {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Record { shared: Arc::new(Shared { number, began: Instant::now(), kept: Mutex::default() }) }
    }

    /// Stands for the test, within this process.
    pub(crate) fn number(&self) -> u64 {
        self.shared.number
    }

    /// Where to note what happens to one process. It is in the record from its first start on.
    pub(crate) fn process(&self, name: &str, number: u64, addr: Option<SocketAddr>) -> Noted {
        let entry = Entry { name: name.to_owned(), number, addr, history: Mutex::default() };
        Noted { record: self.clone(), entry: Arc::new(entry) }
    }

    /// All that is kept, in order of start.
    pub(super) fn processes(&self) -> Vec<ProcessRecord> {
        self.entries().iter().map(|entry| entry.snapshot()).collect()
    }

    /// What was not told before to its end.
    pub(super) fn story(&self) -> Story {
        let (from, forgotten) = self.kept(|kept| (kept.reported_until, kept.forgotten));
        let mut entries = self.entries();
        entries.retain(|entry| lock(&entry.history).reported != Reported::WhenOver);
        let is_news = entries.iter().any(|entry| lock(&entry.history).reported == Reported::Not);
        // As they were written: what starts in parallel has an order by chance.
        entries.sort_by_key(|entry| entry.number);
        let processes = entries.iter().map(|entry| entry.snapshot()).collect();
        Story { processes, forgotten, from, to: self.age(), is_news }
    }

    /// Notes that all of it was told.
    pub(super) fn told(&self, until: Duration) {
        for entry in self.entries() {
            let mut history = lock(&entry.history);
            let is_over = history.runs.back().is_none_or(RunRecord::is_over);
            history.reported = if is_over { Reported::WhenOver } else { Reported::WhileUp };
        }
        self.kept(|kept| kept.reported_until = until);
    }

    pub(super) fn kept<R>(&self, look: impl FnOnce(&mut Kept) -> R) -> R {
        look(&mut lock(&self.shared.kept))
    }

    fn entries(&self) -> Vec<Arc<Entry>> {
        self.kept(|kept| kept.entries.iter().cloned().collect())
    }

    fn age(&self) -> Duration {
        self.shared.began.elapsed()
    }
}

impl Kept {
    /// Of too many the oldest is forgotten that has ended; where all are up, the oldest.
    fn add(&mut self, entry: &Arc<Entry>) {
        if self.entries.len() >= RECORDED_PROCESSES {
            let is_over = |entry: &Arc<Entry>| lock(&entry.history).runs.back().is_some_and(RunRecord::is_over);
            let oldest = self.entries.iter().position(is_over).unwrap_or(0);
            self.entries.remove(oldest);
            self.forgotten += 1;
        }
        self.entries.push_back(Arc::clone(entry));
    }
}

impl Entry {
    fn snapshot(&self) -> ProcessRecord {
        let history = lock(&self.history);
        ProcessRecord {
            name: self.name.clone(),
            addr: self.addr,
            is_shared: history.is_shared,
            spec: history.spec.clone(),
            restarts: history.orders.saturating_sub(1),
            forgotten: history.forgotten,
            runs: history.runs.iter().cloned().collect(),
        }
    }
}

/// Where it is noted what happens to one process.
#[derive(Clone)]
pub(crate) struct Noted {
    record: Record,
    entry: Arc<Entry>,
}

impl Noted {
    /// The record that it is in.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }

    /// It is not the test's own alone.
    pub(crate) fn is_shared(&self) {
        self.change(|history| history.is_shared = true);
    }

    /// A start begins: from here on there is one more run.
    pub(crate) fn begins(&self, spec: String) {
        let started = self.record.age();
        let is_first = self.change(|history| {
            history.spec = spec;
            history.reported = Reported::Not;
            let is_first = history.forgotten == 0 && history.runs.is_empty();
            if history.runs.len() >= RECORDED_RUNS {
                history.runs.pop_front();
                history.forgotten += 1;
            }
            history.runs.push_back(RunRecord { started, ..RunRecord::default() });
            is_first
        });
        if is_first {
            self.record.kept(|kept| kept.add(&self.entry));
        }
    }

    /// Its run was ordered.
    pub(crate) fn ordered(&self) {
        self.change(|history| history.orders += 1);
    }

    /// Takes that back: nobody has begun.
    pub(crate) fn was_declined(&self) {
        self.change(|history| history.orders -= 1);
    }

    /// Its program runs.
    pub(crate) fn runs_as(&self, pid: Option<i32>) {
        self.last(|run, _| run.pid = run.pid.or(id(pid)));
    }

    /// All its probes have agreed. One that had ended by then was ready before its end.
    pub(crate) fn is_ready(&self) {
        self.last(|run, now| run.ready = Some(run.ended.unwrap_or(now)));
    }

    /// The test asks it to stop.
    pub(crate) fn is_to_stop(&self) {
        self.last(|run, now| {
            let is_up = run.failed.is_none() && run.ended.is_none();
            run.stopping = run.stopping.or(is_up.then_some(now));
        });
    }

    /// Nothing of the run is left.
    pub(crate) fn has_ended(&self, end: RunEnd) {
        self.last(|run, now| {
            run.pid = run.pid.or(id(end.pid));
            (run.exit, run.ended) = (end.exit, Some(now));
            (run.was_asked, run.was_allowed) = (end.was_asked, end.was_allowed);
        });
    }

    /// Its program was not run: nothing will be heard of it.
    pub(crate) fn was_not_run(&self) {
        self.last(|run, now| run.failed = Some(*run.ended.get_or_insert(now)));
    }

    /// It ended before it was ready. Some of it may be left, for a moment.
    pub(crate) fn ended_early(&self) {
        self.last(|run, now| run.failed = Some(run.ended.unwrap_or(now)));
    }

    /// It did not become ready in time, and will be stopped for that.
    pub(crate) fn is_late(&self) {
        self.last(|run, now| (run.failed, run.was_late) = (Some(run.ended.unwrap_or(now)), true));
    }

    /// How far it has come; `None` before its first start.
    pub(crate) fn state(&self) -> Option<ProcessState> {
        self.change(|history| history.runs.back().map(RunRecord::state))
    }

    fn last(&self, change: impl FnOnce(&mut RunRecord, Duration)) {
        let now = self.record.age();
        self.change(|history| {
            if let Some(run) = history.runs.back_mut() {
                change(run, now);
            }
        });
    }

    fn change<R>(&self, change: impl FnOnce(&mut History) -> R) -> R {
        change(&mut lock(&self.entry.history))
    }
}

fn id(pid: Option<i32>) -> Option<u32> {
    pid.and_then(|pid| u32::try_from(pid).ok())
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("entries", &self.entries().len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Noted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Noted").field("name", &self.entry.name).finish_non_exhaustive()
    }
}
