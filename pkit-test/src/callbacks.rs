//! The thread that runs callbacks, one after the other.
//!
//! A callback may call any method, also one that waits; so it must not run on the thread that reads what shims say. A test
//! with a network of its own has a thread of its own for them, which is in that network and ends with it.

use std::cell::Cell;
use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::Instant;

use crate::network::Network;
use crate::sync::{Monitor, lock};

/// The callbacks of one process that have not run to their end yet, and what they panicked with.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    state: Monitor<State>,
    /// Who runs them.
    worker: Mutex<Option<Arc<Worker>>>,
}

#[derive(Default)]
struct State {
    waiting: usize,
    panics: Vec<String>,
    /// Those of exits, while it is not known yet what became of the start before them.
    held: Option<Vec<Job>>,
}

type Job = Box<dyn FnOnce() + Send>;

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What is held can be run, and nothing else.
        f.debug_struct("State").field("waiting", &self.waiting).field("panics", &self.panics).finish_non_exhaustive()
    }
}

/// While it is there, callbacks of exits wait.
#[derive(Debug)]
pub(crate) struct Hold {
    pending: Arc<Pending>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.pending.release();
    }
}

/// Ends when nobody knows it any more.
#[derive(Debug)]
struct Worker {
    sender: Sender<Job>,
    /// That of the network that it is in, or 0 for the one that is for all who have none.
    network_id: u64,
}

/// That of all, from its first use on.
static WORKER: Mutex<Option<Arc<Worker>>> = Mutex::new(None);

/// Those of networks.
static ELSEWHERE: Mutex<Vec<Weak<Worker>>> = Mutex::new(Vec::new());

thread_local! {
    static IS_WORKER: Cell<bool> = const { Cell::new(false) };
}

impl Pending {
    /// Makes sure that there is a thread for callbacks. Where there cannot be one it is an error of the start, and not a
    /// surprise at the end.
    ///
    /// # Errors
    ///
    /// When the system allows no further thread.
    pub(crate) fn prepare(&self) -> io::Result<()> {
        let mut worker = lock(&self.worker);
        if worker.is_none() {
            *worker = Some(worker_here()?);
        }
        Ok(())
    }

    /// Keeps callbacks of exits back until it is known what became of a start: one may end before anybody could be told that it
    /// has begun.
    pub(crate) fn hold(self: &Arc<Pending>) -> Hold {
        self.state.with(|state| _ = state.held.get_or_insert_default());
        Hold { pending: Arc::clone(self) }
    }

    /// Lets go those that were kept back.
    pub(crate) fn release(self: &Arc<Pending>) {
        let held = self.state.with(|state| state.held.take());
        held.into_iter().flatten().for_each(|callback| self.send(callback));
    }

    /// Lets a callback of an exit run when those before it have.
    pub(crate) fn queue_exit(self: &Arc<Pending>, callback: impl FnOnce() + Send + 'static) {
        let callback: Job = Box::new(callback);
        let free = self.state.with(|state| {
            state.waiting += 1;
            match &mut state.held {
                Some(held) => {
                    held.push(callback);
                    None
                }
                None => Some(callback),
            }
        });
        free.into_iter().for_each(|callback| self.send(callback));
    }

    /// Lets a callback run when those before it have.
    pub(crate) fn queue(self: &Arc<Pending>, callback: impl FnOnce() + Send + 'static) {
        self.state.with(|state| state.waiting += 1);
        self.send(Box::new(callback));
    }

    fn send(self: &Arc<Pending>, callback: Job) {
        let worker = lock(&self.worker).clone().expect("who has callbacks was prepared for them");
        let pending = Arc::clone(self);
        // The thread ends only when nobody knows it: it holds on to nothing that could fail.
        let _ = worker.sender.send(Box::new(move || pending.run(callback)));
    }

    /// Waits until all have run; `false` at the deadline. On the thread of the callbacks itself there is nothing to
    /// wait for: the caller is one of them.
    pub(crate) fn wait_until(&self, deadline: Instant) -> bool {
        is_worker() || self.state.wait_until(Some(deadline), |state| (state.waiting == 0).then_some(())).is_some()
    }

    /// What callbacks panicked with since the last time.
    pub(crate) fn take_panics(&self) -> Vec<String> {
        self.state.with(|state| std::mem::take(&mut state.panics))
    }

    fn run(&self, callback: impl FnOnce()) {
        let result = catch_unwind(AssertUnwindSafe(callback));
        self.state.change(|state| {
            state.waiting -= 1;
            if let Err(panic) = result {
                state.panics.push(text_of(panic.as_ref()));
                // What was thrown may panic again where it is dropped.
                std::mem::forget(panic);
            }
        });
    }
}

/// What a panic said.
pub(crate) fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a value that is no text".to_owned())
}

/// Whether this is a thread of callbacks.
pub(crate) fn is_worker() -> bool {
    IS_WORKER.try_with(Cell::get).unwrap_or(false)
}

/// The one for the network that the calling thread is in.
fn worker_here() -> io::Result<Arc<Worker>> {
    match Network::here() {
        None => worker_of_all(),
        Some(network) => worker_of(&network),
    }
}

fn worker_of_all() -> io::Result<Arc<Worker>> {
    let mut worker = lock(&WORKER);
    match &*worker {
        Some(worker) => Ok(Arc::clone(worker)),
        None => Ok(Arc::clone(worker.insert(start(0)?))),
    }
}

fn worker_of(network: &Network) -> io::Result<Arc<Worker>> {
    let mut workers = lock(&ELSEWHERE);
    workers.retain(|worker| worker.strong_count() > 0);
    let known = workers.iter().filter_map(Weak::upgrade).find(|worker| worker.network_id == network.id());
    known.map_or_else(
        || {
            let worker = start(network.id())?;
            workers.push(Arc::downgrade(&worker));
            Ok(worker)
        },
        Ok,
    )
}

/// It is where the calling thread is.
fn start(network_id: u64) -> io::Result<Arc<Worker>> {
    let (sender, jobs) = channel::<Job>();
    let builder = thread::Builder::new().name("pkit-callbacks".to_owned());
    builder.spawn(move || {
        IS_WORKER.set(true);
        jobs.into_iter().for_each(|job| job());
    })?;
    Ok(Arc::new(Worker { sender, network_id }))
}
