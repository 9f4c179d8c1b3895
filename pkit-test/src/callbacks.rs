//! The thread that runs callbacks, one after the other.
//!
//! A callback may call any method, also one that waits; so it must not run on the thread that reads what shims say.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Instant;

use crate::sync::{Monitor, lock};

/// The callbacks of one process that have not run to their end yet, and what they panicked with.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    state: Monitor<State>,
}

#[derive(Debug, Default)]
struct State {
    waiting: usize,
    panics: Vec<String>,
}

type Job = Box<dyn FnOnce() + Send>;

static WORKER: Mutex<Option<(Sender<Job>, ThreadId)>> = Mutex::new(None);

impl Pending {
    /// Lets a callback run when those before it have.
    pub(crate) fn queue(self: &Arc<Pending>, callback: impl FnOnce() + Send + 'static) {
        self.state.with(|state| state.waiting += 1);
        let pending = Arc::clone(self);
        send(Box::new(move || pending.run(callback)));
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
            state.panics.extend(result.err().map(|panic| text_of(panic.as_ref())));
        });
    }
}

/// What a panic said.
pub(crate) fn text_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a value that is no text".to_owned())
}

/// Whether this is the thread of the callbacks.
pub(crate) fn is_worker() -> bool {
    lock(&WORKER).as_ref().is_some_and(|(_, id)| *id == thread::current().id())
}

fn send(job: Job) {
    let mut worker = lock(&WORKER);
    let (sender, _) = worker.get_or_insert_with(start);
    // The thread ends only with the process: it holds on to nothing that could fail.
    let _ = sender.send(job);
}

fn start() -> (Sender<Job>, ThreadId) {
    let (sender, jobs) = channel::<Job>();
    let builder = thread::Builder::new().name("pkit-callbacks".to_owned());
    let spawned = builder.spawn(move || jobs.into_iter().for_each(|job| job())).expect("a thread can be started");
    (sender, spawned.thread().id())
}
