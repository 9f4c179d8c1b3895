//! What the attribute expands to: a stack whose handles are the parameters of a test.

use std::any::Any;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use super::ending::{Ending, IsPolled};
use super::engine::Handles;
use super::scope::{clear, end, say_error};
use super::{Orchestra, Stack};
use crate::config::log;
use crate::error::{Error, Result};
use crate::ground::{Executor, Scope};
use crate::guardian::client;
use crate::sync::lock;

/// The processes of one attribute.
#[derive(Debug)]
pub struct Stage {
    name: &'static str,
    orchestra: Orchestra,
    count: usize,
}

/// The place of a handle, with its type.
#[derive(Debug)]
pub struct Slot<H> {
    index: usize,
    handle: PhantomData<fn() -> H>,
}

/// The handles that are up.
pub struct Up {
    handles: Vec<Option<Box<dyn Any + Send>>>,
    /// The newest first.
    order: Vec<usize>,
    /// For an async body.
    ending: Option<Ending>,
}

type Panic = Box<dyn Any + Send>;

impl Stage {
    /// A stage for the function of that name.
    #[must_use]
    pub fn new(name: &'static str) -> Stage {
        Stage { name, orchestra: Orchestra::default(), count: 0 }
    }

    /// Adds a process.
    pub fn add<E: Executor + 'static>(&mut self, name: &'static str, executor: E) -> Slot<E::Handle> {
        self.orchestra = std::mem::take(&mut self.orchestra).with(name, executor);
        self.count += 1;
        Slot { index: self.count - 1, handle: PhantomData }
    }

    /// Brings all up, runs the body, brings all down. What goes wrong on our side is a panic, unless the body has
    /// failed by itself.
    #[track_caller]
    pub fn run<R>(self, body: impl FnOnce(&mut Up) -> R, failed: fn(&R) -> bool) -> R {
        let (scope, mut up) = match self.start() {
            Ok(up) => up,
            Err(error) => panic!("{error}"),
        };
        let result = catch_unwind(AssertUnwindSafe(|| body(&mut up)));
        let has_failed = result.as_ref().map_or(true, failed);
        let verdict = finish(&scope, up, has_failed);
        match conclude(result, verdict, has_failed) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same below `#[should_panic]`: what goes wrong on our side is printed, and the function returns, so that a
    /// test that could not start does not pass.
    pub fn run_should_panic(self, body: impl FnOnce(&mut Up)) {
        let (scope, mut up) = match self.start() {
            Ok(up) => up,
            Err(error) => return say_error(&error),
        };
        let result = catch_unwind(AssertUnwindSafe(|| body(&mut up)));
        // Here the panic is the good end.
        let has_failed = result.is_ok();
        let verdict = finish(&scope, up, has_failed);
        match (result, verdict) {
            // Whatever the panic was about: with a process that broke it proves nothing.
            (Err(panic), None) => resume_unwind(panic),
            (_, verdict) => verdict.iter().for_each(say_error),
        }
    }

    /// The same for an `async fn`: the runtime goes on while processes start and stop.
    pub async fn run_async<R, F>(self, body: impl FnOnce(&mut Up) -> F, failed: fn(&R) -> bool) -> R
    where
        F: Future<Output = R>,
    {
        let (scope, mut up) = match off_thread(move || self.start_sendable()).await {
            Ok((scope, handles)) => (scope, Up::new(handles)),
            Err(error) => panic!("{error}"),
        };
        let is_polled = up.announce_end(&scope);
        let result = Caught { future: Box::pin(body(&mut up)), is_polled }.await;
        let has_failed = result.as_ref().map_or(true, failed);
        let verdict = finish_off_thread(scope, up, has_failed).await;
        match conclude(result, verdict, has_failed) {
            Ok(value) => value,
            Err(error) => panic!("{error}"),
        }
    }

    /// The same below `#[should_panic]`.
    pub async fn run_async_should_panic<F>(self, body: impl FnOnce(&mut Up) -> F)
    where
        F: Future<Output = ()>,
    {
        let (scope, mut up) = match off_thread(move || self.start_sendable()).await {
            Ok((scope, handles)) => (scope, Up::new(handles)),
            Err(error) => return say_error(&error),
        };
        let is_polled = up.announce_end(&scope);
        let result = Caught { future: Box::pin(body(&mut up)), is_polled }.await;
        let verdict = finish_off_thread(scope, up, result.is_ok()).await;
        match (result, verdict) {
            (Err(panic), None) => resume_unwind(panic),
            (_, verdict) => verdict.iter().for_each(say_error),
        }
    }

    fn start(self) -> Result<(Arc<Scope>, Up)> {
        self.start_sendable().map(|(scope, handles)| (scope, Up::new(handles)))
    }

    fn start_sendable(self) -> Result<(Arc<Scope>, Handles)> {
        log(|| format!("{}: start {} processes", self.name, self.count));
        let started = self.orchestra.start();
        if started.is_err() {
            client::note_failure();
        }
        started.map(Stack::take_apart)
    }
}

impl Up {
    fn new(mut handles: Handles) -> Up {
        let order = handles.newest_first();
        let all = std::mem::take(&mut handles.all).into_iter();
        Up { handles: all.map(|named| Some(named.handle.into_any())).collect(), order, ending: None }
    }

    fn announce_end(&mut self, scope: &Arc<Scope>) -> IsPolled {
        let (ending, is_polled) = Ending::of(scope);
        self.ending = Some(ending);
        is_polled
    }

    /// Gives an async body what it drops before its handles.
    #[must_use]
    pub fn ending(&mut self) -> Option<Ending> {
        self.ending.take()
    }

    /// Gives a handle to the body. Each slot is taken once.
    #[must_use]
    pub fn take<H: 'static>(&mut self, slot: Slot<H>) -> H {
        let handle = self.handles.get_mut(slot.index).and_then(Option::take);
        let handle = handle.expect("a slot is taken once").downcast();
        *handle.expect("a slot has the type of its executor's handle")
    }
}

/// What nobody took goes down in reverse order of start.
impl Drop for Up {
    fn drop(&mut self) {
        for index in std::mem::take(&mut self.order) {
            drop(self.handles[index].take());
        }
    }
}

impl std::fmt::Debug for Up {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Up").field("handles", &self.handles.len()).finish()
    }
}

fn finish(scope: &Arc<Scope>, up: Up, has_failed: bool) -> Option<Error> {
    let verdict = end(scope, up, has_failed);
    clear(scope, has_failed || verdict.is_some());
    verdict
}

/// What the body said comes before what became of the processes.
fn conclude<R>(result: Result<R, Panic>, verdict: Option<Error>, has_failed: bool) -> Result<R> {
    match (result, verdict) {
        (Err(panic), verdict) => {
            verdict.iter().for_each(say_error);
            resume_unwind(panic)
        }
        (Ok(value), Some(error)) if has_failed => {
            say_error(&error);
            Ok(value)
        }
        (Ok(_), Some(error)) => Err(error),
        (Ok(value), None) => Ok(value),
    }
}

async fn finish_off_thread(scope: Arc<Scope>, up: Up, has_failed: bool) -> Option<Error> {
    let stopped = Arc::clone(&scope);
    let verdict = off_thread(move || end(&stopped, up, has_failed)).await;
    clear(&scope, has_failed || verdict.is_some());
    verdict
}

/// Runs something that blocks on a thread of its own, and wakes whoever awaits it. Tied to no runtime.
async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let shared = Arc::new(Mutex::new(Shared { result: None, waker: None }));
    let theirs = Arc::clone(&shared);
    thread::spawn(move || {
        let result = catch_unwind(AssertUnwindSafe(work));
        let mut shared = lock(&theirs);
        shared.result = Some(result);
        shared.waker.take().into_iter().for_each(Waker::wake);
    });
    match (Off { shared }).await {
        Ok(value) => value,
        Err(panic) => resume_unwind(panic),
    }
}

struct Shared<T> {
    result: Option<Result<T, Panic>>,
    waker: Option<Waker>,
}

struct Off<T> {
    shared: Arc<Mutex<Shared<T>>>,
}

impl<T> Future for Off<T> {
    type Output = Result<T, Panic>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut shared = lock(&self.shared);
        match shared.result.take() {
            Some(result) => Poll::Ready(result),
            None => {
                shared.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// A future whose panic is a result.
struct Caught<F> {
    future: Pin<Box<F>>,
    is_polled: IsPolled,
}

impl<F: Future> Future for Caught<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        self.is_polled.store(true, Ordering::Relaxed);
        let polled = catch_unwind(AssertUnwindSafe(|| pin!(&mut self.future).poll(context)));
        self.is_polled.store(false, Ordering::Relaxed);
        match polled {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Err(panic) => Poll::Ready(Err(panic)),
        }
    }
}
