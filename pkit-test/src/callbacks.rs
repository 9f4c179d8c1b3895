//! The thread that runs callbacks, one after the other.
//!
//! A callback may call any method, also one that waits; so it must not run on the thread that reads what shims say.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, ThreadId};
use std::time::Instant;

use crate::network;
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

/// Whether this is the thread of the callbacks.
pub(crate) fn is_worker() -> bool {
    lock(&WORKER).as_ref().is_some_and(|(_, id)| *id == thread::current().id())
}

/// Makes sure that there is a thread for callbacks. Where there cannot be one it is an error of the start, and not a
/// surprise at the end.
///
/// # Errors
///
/// When the system allows no further thread.
pub(crate) fn prepare() -> io::Result<()> {
    let mut worker = lock(&WORKER);
    if worker.is_none() {
        // It is for all tests of this process.
        let _home = network::at_home()?;
        *worker = Some(start()?);
    }
    Ok(())
}

fn send(job: Job) {
    if let Some((sender, _)) = lock(&WORKER).as_ref() {
        // The thread ends only with the process: it holds on to nothing that could fail.
        let _ = sender.send(job);
    }
}

fn start() -> io::Result<(Sender<Job>, ThreadId)> {
    let (sender, jobs) = channel::<Job>();
    let builder = thread::Builder::new().name("pkit-callbacks".to_owned());
    let spawned = builder.spawn(move || jobs.into_iter().for_each(|job| job()))?;
    Ok((sender, spawned.thread().id()))
}
