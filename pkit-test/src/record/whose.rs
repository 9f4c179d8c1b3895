//! Whose record it is: which test a thread belongs to, and when that test is to be told about.
//!
//! libtest runs every test of a binary in one process, each on a thread of its own; nextest runs a process for each test. No
//! system call says which test a thread works for, so this is how it is found:
//!
//! | thread | its record |
//! |---|---|
//! | any, in a process that was told to run one test by its exact name, as nextest does | that of the process |
//! | the first one of a test, `main`, or one that the user has spawned | its own, made when it is asked for |
//! | one of ours: a start beside others, the start and stop of an `async fn`, a callback | that of whoever needed it |
//! | whichever polls the future of an `async fn` with the attribute, meanwhile | that of the first poll |
//!
//! A handle or a stack that goes to another thread takes its record along. That a thread of the user has its own, and not the
//! only one that is open at the moment, is so that two tests never see each other's processes, however they are timed.

use std::cell::RefCell;
use std::ffi::OsString;
use std::future::Future;
use std::pin::Pin;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use super::history::{Kept, Record};
use super::values::ProcessRecord;

thread_local! {
    static OF_THREAD: RefCell<Option<Record>> = const { RefCell::new(None) };
}

/// What this test has started so far, in order of the first starts: names, states, times, exits.
///
/// The same as a table and as a timeline is part of what a test says that fails, where it has more to tell than its error: of two
/// processes or more, or of two runs or more. `PKIT_OUTPUT=never` leaves it out, and `always` has it of a test that passes, too.
///
/// ```text
/// --- 2 processes in 412 ms
/// name   run  state   pid  started  ready after   ended  exit
/// cache    1  ended  4711     2 ms        38 ms  411 ms  signal 15 (SIGTERM)
/// api      1  died   4712    40 ms        80 ms  220 ms  exit code 3
///          2  ended  4715   250 ms        82 ms  400 ms  signal 15 (SIGTERM)
///        |0 ms                               |206 ms                       412 ms|
/// cache  S=====R--------------------------------------------------------------T.x
/// api          S=============R-----------------X    S==============R----------Tx
/// S= starting  R- ready  T. stopping  x ended  X died  F failed  > up  < more
/// ```
///
/// A test is the thread that it runs on, together with the threads of ours that work for it. A thread that the test has spawned,
/// or a worker of its runtime, knows nothing of it: what is started there is in a record of its own, and what is started there
/// *again*, by a handle from the test, is in that of the test. In a process that runs one test by its exact name, as under
/// nextest, all threads have the one record. Of more than a hundred processes the last are kept.
///
/// ```
/// use pkit_test::{ProcessState, processes, simple, with_processes};
///
/// #[with_processes(cache = simple("sleep 60"), job = simple("sh -c 'exit 3'").after("cache").may_exit())]
/// fn is_recorded(job: &pkit_test::Process) {
///     job.wait().unwrap();
///     let [cache, job] = &processes()[..] else { panic!("two processes") };
///     assert_eq!((cache.name(), cache.state()), ("cache", ProcessState::Ready));
///     assert_eq!((job.name(), job.state()), ("job", ProcessState::Ended));
///     assert!(cache.ready() < Some(job.started()), "a job that comes after it");
///     assert_eq!(job.exit().and_then(|exit| exit.code()), Some(3));
/// }
/// # is_recorded();
/// ```
#[must_use]
pub fn processes() -> Vec<ProcessRecord> {
    Record::current().processes()
}

impl Record {
    /// That of the test for which this thread works.
    pub(crate) fn current() -> Record {
        static OF_PROCESS: OnceLock<Option<Record>> = OnceLock::new();
        let one = OF_PROCESS.get_or_init(|| is_one_test(std::env::args_os()).then(Record::new));
        one.clone().unwrap_or_else(Record::of_thread)
    }

    fn of_thread() -> Record {
        let own = OF_THREAD.try_with(|own| own.borrow_mut().get_or_insert_with(Record::new).clone());
        // A thread that ends and has no values any more.
        own.unwrap_or_else(|_| Record::new())
    }

    /// Does something for that test.
    pub(crate) fn entered<R>(&self, work: impl FnOnce() -> R) -> R {
        let _left = Left(OF_THREAD.try_with(|own| own.replace(Some(self.clone()))).ok().flatten());
        work()
    }

    /// Does that in every poll of a future, on whatever thread it is.
    pub(crate) fn entered_by<F: Future>(self, future: F) -> impl Future<Output = F::Output> {
        Entered { record: self, future: Box::pin(future) }
    }
}

/// Whether the arguments of a test binary ask for one test, by its exact name. Anything else, such as an option with its value
/// apart, is taken for more.
fn is_one_test(arguments: impl Iterator<Item = OsString>) -> bool {
    let arguments: Vec<OsString> = arguments.skip(1).collect();
    let names = arguments.iter().filter(|argument| !argument.to_string_lossy().starts_with('-')).count();
    names == 1 && arguments.iter().any(|argument| argument == "--exact")
}

/// Gives a thread its own record back.
struct Left(Option<Record>);

impl Drop for Left {
    fn drop(&mut self) {
        // The thread ends: nobody will ask.
        let _ = OF_THREAD.try_with(|own| own.replace(self.0.take()));
    }
}

struct Entered<F> {
    record: Record,
    future: Pin<Box<F>>,
}

impl<F: Future> Future for Entered<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<F::Output> {
        let Entered { record, future } = &mut *self;
        record.entered(|| future.as_mut().poll(context))
    }
}

/// What a scope, or a handle by itself, has to do with a record: as long as it is open there is more to come, and the report
/// waits.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) record: Record,
    kind: PartKind,
    is_open: AtomicBool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PartKind {
    /// At its end the test is told about, unless it is in another one.
    Scope,
    /// The same, if it is the last one. One that is never dropped must not keep the scopes from it.
    Handle,
    /// Somebody else tells.
    Inner,
}

impl Part {
    /// Of a scope by itself.
    pub(crate) fn scope() -> Part {
        Part::open(Record::current(), PartKind::Scope)
    }

    /// Of a scope in a scope.
    pub(crate) fn inner(&self) -> Part {
        Part::open(self.record.clone(), PartKind::Inner)
    }

    /// Of what is started for others: no test is told about it.
    pub(crate) fn apart() -> Part {
        Part::open(Record::new(), PartKind::Inner)
    }

    fn open(record: Record, kind: PartKind) -> Part {
        let part = Part { record, kind, is_open: AtomicBool::new(true) };
        part.record.kept(|kept| part.count(kept).into_iter().for_each(|open| *open += 1));
        part
    }

    /// Nothing is to come of it any more.
    pub(crate) fn close(&self) {
        if self.is_open.swap(false, Ordering::Relaxed) {
            self.record.kept(|kept| self.count(kept).into_iter().for_each(|open| *open -= 1));
        }
    }

    /// Ends it, and tells about the test if this is its end.
    pub(crate) fn report(&self, has_failed: bool) {
        self.close();
        let is_end = match self.kind {
            PartKind::Scope => true,
            PartKind::Handle => self.record.kept(|kept| kept.open_handles == 0),
            PartKind::Inner => false,
        };
        if is_end {
            self.record.report(has_failed);
        }
    }

    fn count<'a>(&self, kept: &'a mut Kept) -> Option<&'a mut usize> {
        match self.kind {
            PartKind::Scope => Some(&mut kept.open_scopes),
            PartKind::Handle => Some(&mut kept.open_handles),
            PartKind::Inner => None,
        }
    }
}

/// Of a handle by itself.
impl Default for Part {
    fn default() -> Part {
        Part::open(Record::current(), PartKind::Handle)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_test_is_asked_for_by_its_exact_name() {
        for (line, is_one) in [
            ("it --exact a::b --nocapture", true),
            ("it a::b --exact", true),
            ("it", false),
            ("it a::b", false),
            ("it --exact", false),
            ("it --exact a::b a::c", false),
            ("it --exact a::b --test-threads 1", false),
            ("it --exact a::b --test-threads=1", true),
        ] {
            assert_eq!(is_one_test(line.split(' ').map(OsString::from)), is_one, "{line}");
        }
    }
}
