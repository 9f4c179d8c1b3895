//! What the attribute expands to: a stack whose handles are the parameters of a test.

use std::any::Any;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::engine::Handles;
use super::scope::{end, say_error, tell_not_started};
use super::{Orchestra, Stack};
use crate::config::log;
use crate::error::{Error, Result};
use crate::ground::{Executor, Scope};
use crate::guardian::client;
use crate::network::Stay;
use crate::supervise::Limits;

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
    scope: Arc<Scope>,
}

/// Lies between the parameters of a body and its block, so that it is dropped at the end of the block, whatever end that is,
/// and before the parameters. What is dropped after it the test has not dropped: it goes down with the rest, in an order
/// that is known, and in an `async fn` without blocking the runtime.
#[derive(Debug)]
pub struct Ending {
    scope: Arc<Scope>,
}

pub(super) type Panic = Box<dyn Any + Send>;

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
        // The stay ends behind everything else here.
        let (_stay, scope, mut up) = match self.bring_up() {
            Ok(up) => up,
            Err(error) => {
                tell_not_started();
                panic!("{error}")
            }
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
        // The stay ends behind everything else here.
        let (_stay, scope, mut up) = match self.bring_up() {
            Ok(up) => up,
            Err(error) => {
                tell_not_started();
                return say_error(&error);
            }
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

    fn bring_up(self) -> Result<(Option<Stay>, Arc<Scope>, Up)> {
        let stay = self.stay()?;
        let scope = Scope::managed(None, Limits::default());
        let handles = self.start(&scope)?;
        let up = Up::new(handles, &scope);
        Ok((stay, scope, up))
    }

    /// Goes into a network of its own where a process wants one.
    pub(super) fn stay(&self) -> Result<Option<Stay>> {
        self.orchestra.stay().inspect_err(|_| client::note_failure())
    }

    pub(super) fn start(self, scope: &Arc<Scope>) -> Result<Handles> {
        log(|| format!("{}: start {} processes", self.name, self.count));
        let started = self.orchestra.start_in(Arc::clone(scope));
        if started.is_err() {
            client::note_failure();
        }
        started.map(|stack| Stack::take_apart(stack).1)
    }
}

impl Up {
    pub(super) fn new(mut handles: Handles, scope: &Arc<Scope>) -> Up {
        let order = handles.newest_first();
        let all = std::mem::take(&mut handles.all).into_iter();
        let handles = all.map(|named| Some(named.handle.into_any())).collect();
        Up { handles, order, scope: Arc::clone(scope) }
    }

    /// What marks the end of the body.
    #[must_use]
    pub fn ending(&self) -> Ending {
        Ending { scope: Arc::clone(&self.scope) }
    }

    /// Gives a handle to the body. Each slot is taken once.
    #[must_use]
    pub fn take<H: 'static>(&mut self, slot: Slot<H>) -> H {
        let handle = self.handles.get_mut(slot.index).and_then(Option::take);
        let handle = handle.expect("a slot is taken once").downcast();
        *handle.expect("a slot has the type of its executor's handle")
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.scope.note_body_end();
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
    end(scope, up, has_failed).clear(scope, has_failed)
}

/// What the body said comes before what became of the processes.
pub(super) fn conclude<R>(result: Result<R, Panic>, verdict: Option<Error>, has_failed: bool) -> Result<R> {
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
