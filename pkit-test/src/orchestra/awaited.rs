//! The stage of an `async fn`: the runtime goes on while processes start and stop, tied to no runtime.
//!
//! A future can be dropped at any moment: by a timeout around it, by the other branch of a `select!`. Nobody awaits the
//! end of the stage then, so that the drop itself takes everything down, and blocks until that is done. For what comes
//! after it the test has failed: its body has not come to its end.
//!
//! ```text
//! dropped while    off the thread                       here
//! starting         gives up, or takes down what is up   cancel, wait for it
//! in the body      –                                    take all down
//! ending           goes on                              wait for it
//! ```

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::thread;

use super::engine::Handles;
use super::scope::{Ended, end, say_error, tell_not_started};
use super::stage::{Panic, Stage, Up, conclude};
use crate::config::deadline_in;
use crate::error::{Error, Kind, Result};
use crate::ground::Scope;
use crate::limits::GOODBYE_LIMIT;
use crate::network::{Network, Stay};
use crate::record::Record;
use crate::supervise::Limits;
use crate::sync::Monitor;

/// The value of an `async` body, or what went wrong on our side, as a panic at the place of the caller: a function that
/// is `async` itself does not know it.
#[track_caller]
pub fn value<R>(result: Result<R>) -> R {
    match result {
        Ok(value) => value,
        Err(error) => panic!("{error}"),
    }
}

impl Stage {
    /// As [`run`](Stage::run), for an `async fn`. What goes wrong on our side is an error, for [`value`].
    ///
    /// # Errors
    ///
    /// Where `run` would panic.
    pub async fn run_async<R, F>(self, body: impl FnOnce(&mut Up) -> F, failed: fn(&R) -> bool) -> Result<R>
    where
        F: Future<Output = R>,
    {
        Record::current().entered_by(self.conduct(body, failed)).await
    }

    /// As [`run_should_panic`](Stage::run_should_panic), for an `async fn`.
    pub async fn run_async_should_panic<F>(self, body: impl FnOnce(&mut Up) -> F)
    where
        F: Future<Output = ()>,
    {
        Record::current().entered_by(self.conduct_should_panic(body)).await;
    }

    async fn conduct<R, F>(self, body: impl FnOnce(&mut Up) -> F, failed: fn(&R) -> bool) -> Result<R>
    where
        F: Future<Output = R>,
    {
        // Dropped behind everything else here, also where the future is dropped before its end.
        let stay = self.stay().inspect_err(|_| tell_not_started())?;
        staying(stay.as_ref(), self.conduct_there(body, failed)).await
    }

    async fn conduct_there<R, F>(self, body: impl FnOnce(&mut Up) -> F, failed: fn(&R) -> bool) -> Result<R>
    where
        F: Future<Output = R>,
    {
        let scope = Scope::managed(None, Limits::default());
        let started = off_thread(&scope, abandon_start, move |scope| self.start(scope)).await;
        let handles = started.inspect_err(|_| tell_not_started())?;
        let (result, up) = Body::of(&scope, handles, body).await;
        let has_failed = result.as_ref().map_or(true, failed);
        let verdict = finish(&scope, up, has_failed).await;
        conclude(result, verdict, has_failed)
    }

    async fn conduct_should_panic<F>(self, body: impl FnOnce(&mut Up) -> F)
    where
        F: Future<Output = ()>,
    {
        match self.stay() {
            Ok(stay) => staying(stay.as_ref(), self.conduct_there_should_panic(body)).await,
            Err(error) => {
                tell_not_started();
                say_error(&error);
            }
        }
    }

    async fn conduct_there_should_panic<F>(self, body: impl FnOnce(&mut Up) -> F)
    where
        F: Future<Output = ()>,
    {
        let scope = Scope::managed(None, Limits::default());
        let handles = match off_thread(&scope, abandon_start, move |scope| self.start(scope)).await {
            Ok(handles) => handles,
            Err(error) => {
                tell_not_started();
                return say_error(&error);
            }
        };
        let (result, up) = Body::of(&scope, handles, body).await;
        let verdict = finish(&scope, up, result.is_ok()).await;
        match (result, verdict) {
            (Err(panic), None) => resume_unwind(panic),
            (_, verdict) => verdict.iter().for_each(say_error),
        }
    }
}

/// Does every poll of a future in the network of its first one, whichever thread polls it.
async fn staying<F: Future>(stay: Option<&Stay>, future: F) -> F::Output {
    let mut future = pin!(future);
    let network = stay.map(Stay::network);
    poll_fn(|context| {
        let elsewhere = network.map(Network::enter).transpose();
        let _elsewhere = elsewhere.unwrap_or_else(|error| panic!("{error}"));
        future.as_mut().poll(context)
    })
    .await
}

async fn finish(scope: &Arc<Scope>, up: Up, has_failed: bool) -> Option<Error> {
    let ended = off_thread(scope, abandon_end, move |scope| (has_failed, end(scope, up, has_failed)));
    let (_, ended) = ended.await;
    ended.clear(scope, has_failed)
}

/// Takes everything down for a future that was dropped.
fn abandon(scope: &Arc<Scope>, handles: impl Sized) {
    // Nobody asks any more whether an exit comes that was expected.
    scope.cancel();
    end(scope, handles, true).clear_abandoned(scope, true);
}

fn abandon_start(scope: &Arc<Scope>, started: Result<Handles>) {
    match started {
        Ok(handles) => abandon(scope, handles),
        Err(error) if error.kind() == Kind::Cancelled => {}
        Err(error) => {
            tell_not_started();
            say_error(&error);
        }
    }
}

fn abandon_end(scope: &Arc<Scope>, (has_failed, ended): (bool, Ended)) {
    ended.clear_abandoned(scope, has_failed);
}

/// A body under way, and what it stands on.
struct Body<F> {
    scope: Arc<Scope>,
    up: Option<Up>,
    future: Option<Pin<Box<F>>>,
}

impl<F: Future> Body<F> {
    async fn of(
        scope: &Arc<Scope>,
        handles: Handles,
        body: impl FnOnce(&mut Up) -> F,
    ) -> (Result<F::Output, Panic>, Up) {
        let mut this = Body { scope: Arc::clone(scope), up: Some(Up::new(handles, scope)), future: None };
        this.future = this.up.as_mut().map(|up| Box::pin(body(up)));
        let result = (&mut this).await;
        (result, this.up.take().expect("only its end takes it"))
    }
}

/// Its output is a result: a panic of the body is one.
impl<F: Future> Future for Body<F> {
    type Output = Result<F::Output, Panic>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let future = self.future.as_mut().expect("it is polled until it is ready");
        let polled = catch_unwind(AssertUnwindSafe(|| pin!(future).poll(context)));
        let result = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(value)) => Ok(value),
            Err(panic) => Err(panic),
        };
        self.future = None;
        Poll::Ready(result)
    }
}

impl<F> Drop for Body<F> {
    fn drop(&mut self) {
        if let Some(up) = self.up.take() {
            // The handles in the future first, as at any other end.
            abandon(&self.scope, (self.future.take(), up));
        }
    }
}

/// Runs something that blocks on a thread of its own, and wakes whoever awaits it.
///
/// Where nobody does so any more `abandoned` is given the result, and whoever has dropped the future waits for that.
fn off_thread<T: Send + 'static>(
    scope: &Arc<Scope>,
    abandoned: fn(&Arc<Scope>, T),
    work: impl FnOnce(&Arc<Scope>) -> T + Send + 'static,
) -> impl Future<Output = T> {
    let shared = Arc::new(Monitor::new(Shared { result: None, waker: None, is_abandoned: false, is_over: false }));
    let (theirs, their_scope) = (Arc::clone(&shared), Arc::clone(scope));
    let work = move || {
        let result = catch_unwind(AssertUnwindSafe(|| work(&their_scope)));
        match theirs.change(|shared| shared.deliver(result)) {
            // Without the lock: a waker is somebody else's, and may poll at once.
            Delivered::ToAwait(waker) => waker.into_iter().for_each(Waker::wake),
            // Whoever has dropped the future waits for what follows, also where a handle panics. The hook has told of that;
            // what was thrown may panic again where it is dropped.
            Delivered::ToNobody(Ok(value)) => {
                let abandoned = catch_unwind(AssertUnwindSafe(|| abandoned(&their_scope, value)));
                abandoned.unwrap_or_else(std::mem::forget);
            }
            Delivered::ToNobody(Err(_)) => {}
        }
        theirs.change(|shared| shared.is_over = true);
    };
    let record = scope.part.record.clone();
    thread::spawn(move || record.entered(work));
    Off { shared, scope: Arc::clone(scope), abandoned, is_done: false }
}

struct Shared<T> {
    result: Option<Result<T, Panic>>,
    waker: Option<Waker>,
    is_abandoned: bool,
    /// Nothing of it is under way any more.
    is_over: bool,
}

/// What became of a result.
enum Delivered<T> {
    /// It is there for whoever awaits it, who is to be woken.
    ToAwait(Option<Waker>),
    /// Nobody awaits it any more.
    ToNobody(Result<T, Panic>),
}

impl<T> Shared<T> {
    fn deliver(&mut self, result: Result<T, Panic>) -> Delivered<T> {
        if self.is_abandoned {
            return Delivered::ToNobody(result);
        }
        self.result = Some(result);
        Delivered::ToAwait(self.waker.take())
    }
}

struct Off<T> {
    shared: Arc<Monitor<Shared<T>>>,
    scope: Arc<Scope>,
    abandoned: fn(&Arc<Scope>, T),
    is_done: bool,
}

impl<T> Future for Off<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        let result = self.shared.with(|shared| {
            if shared.result.is_none() {
                shared.waker = Some(context.waker().clone());
            }
            shared.result.take()
        });
        let Some(result) = result else { return Poll::Pending };
        self.is_done = true;
        match result {
            Ok(value) => Poll::Ready(value),
            Err(panic) => resume_unwind(panic),
        }
    }
}

impl<T> Drop for Off<T> {
    fn drop(&mut self) {
        if self.is_done {
            return;
        }
        self.scope.cancel();
        let result = self.shared.change(|shared| {
            shared.is_abandoned = true;
            shared.result.take()
        });
        match result {
            Some(Ok(value)) => (self.abandoned)(&self.scope, value),
            Some(Err(_)) => {}
            None => {
                // Bounded, as an executor may wait for the very runtime that waits here. Its thread clears up all the same.
                let deadline = deadline_in(GOODBYE_LIMIT);
                self.shared.wait_until(Some(deadline), |shared| shared.is_over.then_some(()));
            }
        }
    }
}
