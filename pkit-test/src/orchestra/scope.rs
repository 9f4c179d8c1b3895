//! The end of a scope: everything stops, and what went wrong is said.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::engine::{pardon_all, stop_all, stop_dropped};
use super::stage::Panic;
use super::{Orchestra, Stack};
use crate::config::{config, say};
use crate::error::{Error, Result};
use crate::ground::Scope;
use crate::guardian::client;
use crate::handle::{Core, Outcome};
use crate::record::Record;

/// Starts an orchestra, runs a body with it, and stops all of it whatever becomes of the body.
///
/// A process that ended although nobody asked it to is an error at the end, as are an exit that was expected and did
/// not come, and a callback that panicked. A panic of the body goes on after everything has stopped.
///
/// ```
/// use pkit_test::{orchestrated, simple};
/// # fn main() -> pkit_test::Result<()> {
/// let answer = orchestrated([("sleeper", simple("sleep 60"))], |stack| {
///     assert!(stack["sleeper"].is_alive());
///     42
/// })?;
/// assert_eq!(answer, 42);
///
/// let error = orchestrated([("worker", simple("false"))], |stack| stack["worker"].wait().map(drop)).unwrap_err();
/// assert!(error.to_string().starts_with("`worker` ended during the test, and nobody asked it to"));
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// When something did not start, and when something went wrong before the end. That is what is returned then, whatever the
/// body has returned: its value is lost, also where it is an error. A function cannot ask a value of any type whether it
/// means failure; the attribute can, and lets the error of the body come first. So does a body that keeps its own:
///
/// ```
/// use pkit_test::{orchestrated, simple};
/// let mut said = Ok(());
/// let verdict = orchestrated([("worker", simple("false"))], |stack| {
///     stack["worker"].wait().map(drop).unwrap();
///     said = "no".parse::<u16>().map(drop);
/// });
/// assert!(said.is_err() && verdict.unwrap_err().is_exit());
/// ```
pub fn orchestrated<R>(members: impl Into<Orchestra>, body: impl FnOnce(&Stack) -> R) -> Result<R> {
    let orchestra = members.into();
    // Dropped behind everything else here.
    let _stay = orchestra.stay().inspect_err(|_| tell_not_started())?;
    let stack = orchestra.start().inspect_err(|_| tell_not_started())?;
    let result = catch_unwind(AssertUnwindSafe(|| body(&stack)));
    let (scope, handles) = stack.take_apart();
    let verdict = end(&scope, handles, result.is_err()).clear(&scope, result.is_err());
    match (result, verdict) {
        // What the body said is more important than what became of the processes.
        (Err(panic), verdict) => {
            verdict.iter().for_each(say_error);
            resume_unwind(panic)
        }
        (Ok(_), Some(error)) => Err(error),
        (Ok(value), None) => Ok(value),
    }
}

/// Says what went wrong where it cannot be what the test fails with.
pub(super) fn say_error(error: &Error) {
    say(&format!("{error}\n"));
}

/// Takes everything down, the handles first and the newest of them first, and says what went wrong.
pub(super) fn end(scope: &Scope, handles: impl Sized, has_failed: bool) -> Ended {
    if !has_failed {
        scope.cores().iter().for_each(|core| core.await_expected_exit());
    }
    scope.close_desk();
    scope.cores().iter().for_each(|core| core.settle());
    // What died in the test fails it, too, and is known by now.
    let will_fail = has_failed || scope.cores().iter().any(|core| core.life(|life| !life.troubles.is_empty()));
    let is_kept = keep_where_wanted(scope, will_fail);
    if !is_kept {
        pardon_all(scope);
        stop_dropped(scope);
    }
    scope.note_ending();
    let dropped = catch_unwind(AssertUnwindSafe(|| drop(handles)));
    // What its executors or their threads begin from now on nobody would stop.
    scope.cancel();
    let undone = end_lasts(scope, is_kept, will_fail);
    scope.desk.wait_closed();
    let outcomes: Vec<Outcome> = as_written(scope).iter().map(|core| core.outcome()).collect();
    let (failures, notes): (Vec<_>, Vec<_>) =
        outcomes.into_iter().map(|outcome| (outcome.failures, outcome.notes)).unzip();
    let failure = Error::all(failures.into_iter().flatten().chain(undone));
    if has_failed || failure.is_some() || dropped.is_err() {
        client::note_failure();
        notes.iter().flatten().for_each(|note| say(&format!("--- {note}\n")));
    }
    Ended { verdict: failure, panic: dropped.err() }
}

/// Stops what is left of it, and does what comes behind that; or leaves all of it.
pub(super) fn end_lasts(scope: &Scope, is_kept: bool, has_failed: bool) -> Vec<Error> {
    if is_kept {
        scope.keep_lasts();
        return Vec::new();
    }
    stop_all(scope);
    scope.end_lasts(has_failed)
}

/// What came of the end of a scope.
pub(super) struct Ended {
    verdict: Option<Error>,
    /// Of a mock in the body, or of a handle that is not ours.
    panic: Option<Panic>,
}

impl Ended {
    /// Clears up, and says what went wrong. A panic goes on when all is gone, unless the test has failed by itself: then
    /// that is what it fails with, and the hook has told of the other.
    pub(super) fn clear(self, scope: &Scope, has_failed: bool) -> Option<Error> {
        clear(scope, has_failed || self.verdict.is_some() || self.panic.is_some());
        self.panic.into_iter().for_each(|panic| go_on(panic, has_failed));
        self.verdict
    }

    /// The same where nobody awaits the verdict any more.
    pub(super) fn clear_abandoned(self, scope: &Scope, has_failed: bool) {
        let is_unwinding = std::thread::panicking();
        clear(scope, has_failed || self.verdict.is_some() || self.panic.is_some());
        self.verdict.iter().for_each(say_error);
        self.panic.into_iter().for_each(|panic| go_on(panic, is_unwinding));
    }
}

/// Lets a panic go on, or forgets it: what was thrown may panic again where it is dropped.
pub(super) fn go_on(panic: Panic, is_forgotten: bool) {
    if is_forgotten {
        std::mem::forget(panic);
    } else {
        resume_unwind(panic);
    }
}

/// Leaves everything up where the settings want that, and says how to reach it.
pub(super) fn keep_where_wanted(scope: &Scope, has_failed: bool) -> bool {
    let is_kept = config().keep.applies(has_failed);
    if is_kept {
        // What its supervisor is about to do it still does, and only then it is known what stays up.
        scope.desk.wait_closed();
        for core in as_written(scope).iter().filter(|core| !core.is_over()) {
            core.keep();
        }
    }
    is_kept
}

/// Shows the output of a test that failed, and removes that of one that passed.
pub(super) fn clear(scope: &Scope, has_failed: bool) {
    for core in as_written(scope) {
        core.show(has_failed);
        core.remove_logs(has_failed);
    }
    scope.forget_cores();
    scope.part.report(has_failed);
}

/// The same where there is nothing to clear: a start that fails has left nothing but its error and its times.
pub(super) fn tell_not_started() {
    Record::current().report(true);
}

/// All processes in the order in which they were written: what starts in parallel has an order by chance, and the same
/// stack is to be told of in the same words each time.
fn as_written(scope: &Scope) -> Vec<Arc<Core>> {
    let mut cores = scope.cores();
    cores.sort_by_key(|core| core.place().number);
    cores
}
