//! Does what a supervisor decides: one thread for the processes of a scope, which sleeps until there is news.
//!
//! What to do is decided in `supervise`, whose table is above its code. Here is what it takes that a decision cannot
//! know:
//!
//! - Whatever the thread does, the test may do something else at the same moment. A start takes the lock that every start
//!   takes; whoever comes second finds that it runs. What the test wants down it says before it stops it, under the lock
//!   under which a run is launched, so that a launch either comes before and is stopped, or is refused.
//! - It holds no lock while it waits but that of the start, and waits for nobody who could wait for it: the end of a scope
//!   first closes the desk, then stops the processes, which ends every wait of this thread, and waits for it only then.
//! - Its actions come back to it as news, behind those that came before.

use std::io;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{SigSet, SigmaskHow};

use crate::config::log;
use crate::error::{Error, Result};
use crate::ground::Scope;
use crate::handle::{Core, Farewell, end_of, in_order};
use crate::supervise::{Desk, Machine, Mail, News, Policy, Supervision, Todo};

/// Lets the supervisor of its scope look after a process that has become ready.
pub(super) fn look_after(core: &Arc<Core>) -> Result<()> {
    let scope = core.ground.scope();
    if scope.is_up() {
        let cores = if scope.is_managed { scope.cores() } else { vec![Arc::clone(core)] };
        supervise(scope, &core.desk, cores)?;
    }
    core.tell_started();
    Ok(())
}

/// Starts the supervisor of a scope that is up, if one of its own processes wants one and there is none yet: at this desk,
/// that of the scope or of the one process.
///
/// # Errors
///
/// When the system allows no further thread.
pub(crate) fn supervise(scope: &Arc<Scope>, desk: &Arc<Desk>, mut cores: Vec<Arc<Core>>) -> Result<()> {
    // What others have as well nobody here stops.
    cores.retain(|core| core.is_own());
    let is_wanted = |core: &Arc<Core>| is_direct(core, scope) && core.spec().supervision.is_some();
    if !cores.iter().any(is_wanted) || !desk.open() {
        return Ok(());
    }
    in_order(&mut cores);
    let supervisor = Supervisor {
        desk: Arc::clone(desk),
        scope: Arc::clone(scope),
        cores,
        machine: Machine::new(scope.limits),
        began: Instant::now(),
        last_error: None,
    };
    spawn(supervisor).map_err(|error| {
        desk.done();
        Error::system("no thread for a supervisor was started", error)
    })
}

fn is_direct(core: &Core, scope: &Arc<Scope>) -> bool {
    Arc::ptr_eq(core.ground.scope(), scope)
}

/// The thread takes no signal that a handler of the test waits for.
fn spawn(supervisor: Supervisor) -> io::Result<()> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let record = supervisor.scope.part.record.clone();
    let run = move || record.entered(|| supervisor.run());
    let spawned = thread::Builder::new().name("pkit-supervise".to_owned()).spawn(run);
    before.thread_set_mask()?;
    spawned.map(drop)
}

struct Supervisor {
    desk: Arc<Desk>,
    scope: Arc<Scope>,
    cores: Vec<Arc<Core>>,
    machine: Machine,
    began: Instant,
    /// Why the last start failed, if it did.
    last_error: Option<Error>,
}

/// Also when it panics: whoever ends the scope waits for it.
struct Leave(Arc<Desk>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.done();
    }
}

impl Supervisor {
    fn run(mut self) {
        let _leave = Leave(Arc::clone(&self.desk));
        self.take_over();
        let mut until = Some(self.began);
        loop {
            match self.desk.take(until) {
                Mail::Closing => return,
                Mail::News(id, news) => {
                    self.welcome(id);
                    self.machine.hear(id, news, self.now());
                    // There may be more, and what to do depends on all of it.
                    until = Some(self.began);
                }
                Mail::Nothing => until = self.act(),
            }
        }
    }

    fn now(&self) -> Duration {
        self.began.elapsed()
    }

    /// What has happened before the desk was open nobody has told. First all are there, then those are down that stay down,
    /// for who has crashed may take along whoever is up.
    fn take_over(&mut self) {
        let mut ends = Vec::new();
        for core in &self.cores {
            let (current, run) = core.life(|life| (life.run.clone(), life.starts));
            let policy = self.policy(core);
            self.machine.join(core.id, &core.place().name, policy);
            self.machine.hear(core.id, News::Started { run, policy }, self.now());
            let over = current.filter(|current| current.phase().is_over()).map(|over| over.look(|state| end_of(state)));
            ends.extend(over.map(|end| (policy.wants_back(end), core.id, News::Exited { run, end })));
        }
        ends.sort_by_key(|(wants_back, ..)| *wants_back);
        for (_, id, news) in ends {
            self.machine.hear(id, news, self.now());
        }
    }

    /// An executor may start something on its ground when all the others are up.
    fn welcome(&mut self, id: u64) {
        if self.cores.iter().any(|core| core.id == id) {
            return;
        }
        for core in self.scope.cores().into_iter().filter(|core| core.id == id) {
            self.machine.join(core.id, &core.place().name, self.policy(&core));
            self.cores.push(core);
        }
    }

    /// How it is to live here: what has a supervisor further in is looked after there.
    fn policy(&self, core: &Core) -> Policy {
        let policy = core.spec().policy();
        if is_direct(core, &self.scope) { policy } else { Policy { supervision: Supervision::temporary(), ..policy } }
    }

    /// Does the next thing, and says until when there is nothing to do.
    fn act(&mut self) -> Option<Instant> {
        match self.machine.next(self.now()) {
            Todo::Stop { id, run } => self.stop(id, run),
            Todo::Start { id } => self.start(id),
            Todo::GiveUp { id } => self.give_up(id),
            Todo::Sleep { until } => return until.map(|until| self.began + until),
        }
        Some(self.began)
    }

    fn core(&self, id: u64) -> Arc<Core> {
        let found = self.cores.iter().find(|core| core.id == id);
        Arc::clone(found.expect("the machine knows those that joined it"))
    }

    fn stop(&self, id: u64, run: u32) {
        let core = self.core(id);
        log(|| format!("supervisor: stop {}", core.place().name));
        stop(&core, run);
        self.desk.post(id, News::Stopped);
    }

    fn start(&mut self, id: u64) {
        let core = self.core(id);
        log(|| format!("supervisor: start {}", core.place().name));
        match core.revive() {
            Ok(()) => {
                self.last_error = None;
                core.tell_started();
            }
            Err(_) if core.life(|life| life.is_left_down || life.is_retired) => core.tell_stop_asked(),
            Err(error) => {
                core.post(News::StartFailed { why: error.title().to_owned() });
                self.last_error = Some(error);
            }
        }
    }

    /// Everything goes down for good, in reverse order.
    fn give_up(&mut self, id: u64) {
        let (why, history) = (self.machine.why().to_owned(), self.machine.history());
        log(|| format!("supervisor: {why}"));
        self.desk.close_inner();
        for core in self.cores.iter().rev() {
            stop_current(core);
        }
        for core in &self.cores {
            let farewell = Farewell { why: why.clone(), history: history.clone() };
            let is_last_straw = core.id == id;
            core.give_up(farewell, is_last_straw.then(|| self.last_error.take()));
        }
    }
}

fn stop_current(core: &Core) {
    stop(core, core.life(|life| life.starts));
}

/// What cannot be stopped is the business of whoever reports. That it is gone with its guardian is not: so it is down.
fn stop(core: &Core, run: u32) {
    let trouble = core.halt_run(run).err().filter(|error| !error.is_guardian_lost());
    core.life(|life| life.troubles.extend(trouble));
}
