//! The handle of a function: a process, and what the function returned.

use std::any::type_name;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::callable::Callable;
use super::failure::{Failure, Ran};
use super::task::{self, Task};
use super::{callable, codec};
use crate::config::deadline_in;
use crate::error::{Error, Kind, Result};
use crate::guardian::run::{Phase, Run};
use crate::handle::{Awaited, Process, Started};
use crate::limits::{LAST_WORDS_LINES, TAIL_BYTES};
use crate::output::tail::last_words;
use crate::parcel::{Outcome, Parcel};
use crate::spec::{Body, Spec};

/// Runs a function in a process of its own, with these arguments.
///
/// The function is a `fn` item, a pointer to one, or a closure that captures nothing. The arguments are the one that it takes, or
/// a tuple of up to eight; they and the result go through [serde](https://serde.rs). Nothing has to be declared, and no test is
/// executed again: the process is a fork of the guardian, which costs less than an exec, and finds what a program finds that
/// was just started.
///
/// The spec has all that others have: ports, probes, dependencies, supervision, a user, a time limit. Its holes are filled, but
/// the arguments are nobody's text: a function reads its ports and the addresses of those it waits for from
/// [`current`](crate::current).
///
/// That it returns is no surprise to the test around it; that it panics is, unless [`join`](Worker::join) has told the test.
///
/// Arguments and results own what they hold: a `String`, and no `&str`. What serde does not know is to become something that it
/// does: `error.to_string()` in the place of an [`io::Error`](std::io::Error). What cannot be called with such values, or returns
/// none, is called by a closure that can:
///
/// ```
/// use pkit_test::function;
///
/// fn serve() -> ! { loop { std::thread::park() } }
/// fn length(text: &str) -> usize { text.len() }
/// fn read(path: &str) -> std::io::Result<String> { std::fs::read_to_string(path) }
///
/// # fn main() -> pkit_test::Result<()> {
/// function(|| -> () { serve() }, ()).start()?.kill()?;
/// assert_eq!(function(|text: String| length(&text), "four".to_owned()).start()?.join()?, 4);
/// let read = function(|path: String| read(&path).map_err(|error| error.to_string()), "/nowhere".to_owned()).start()?;
/// assert!(read.join()?.unwrap_err().contains("No such file"));
/// # Ok(()) }
/// ```
///
/// So is an `async fn`, in a runtime that the closure makes.
///
/// ```
/// use pkit_test::function;
///
/// fn work(n: u32) -> Result<u32, String> { n.checked_add(1).ok_or_else(|| "too much".to_owned()) }
///
/// # fn main() -> pkit_test::Result<()> {
/// let worker = function(work, 41).start()?;
/// assert_eq!(worker.join()?, Ok(42));
///
/// let joined = function(|a: String, b: u16| format!("{a}:{b}"), ("localhost".to_owned(), 80)).start()?;
/// assert_eq!(joined.join()?, "localhost:80");
/// # Ok(()) }
/// ```
///
/// It can be killed like any other process:
///
/// ```
/// use std::fs::{self, OpenOptions};
/// use std::io::Write;
/// use pkit_test::{current, function, ready::Said};
///
/// fn append_for_ever(text: String) {
///     let path = current().dir().join("log");
///     let mut log = OpenOptions::new().create(true).append(true).open(path).unwrap();
///     loop {
///         log.write_all(text.as_bytes()).unwrap();
///         current().ready();
///     }
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let writer = function(append_for_ever, "line\n".to_owned()).ready(Said::ready()).start()?;
/// writer.kill()?;
/// assert!(writer.join().unwrap_err().is_signal());
/// assert!(fs::read_to_string(writer.dir().join("log")).unwrap().ends_with("line\n"));
/// # Ok(()) }
/// ```
#[track_caller]
pub fn function<F, A, M>(function: F, arguments: A) -> Spec<Worker<F::Output>>
where
    F: Callable<A, M>,
    A: Serialize + DeserializeOwned + 'static,
    F::Output: Serialize + DeserializeOwned,
    M: 'static,
{
    Spec::calling(callable::callee(function, &arguments), "function")
}

/// Runs a [`Task`] in a process of its own: a value that has its arguments in its fields.
///
/// ```
/// use pkit_test::{Task, task};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize)]
/// struct Greet { name: String }
///
/// impl Task for Greet {
///     type Output = String;
///     fn run(self) -> String { format!("hello {}", self.name) }
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// assert_eq!(task(Greet { name: "world".to_owned() }).start()?.join()?, "hello world");
/// # Ok(()) }
/// ```
#[track_caller]
pub fn task<T: Task>(task: T) -> Spec<Worker<T::Output>> {
    Spec::calling(task::callee_of_task(&task), "task")
}

/// A function that runs in a process of its own: what [`function`](crate::function()) and [`task`](crate::task) start.
///
/// It is a [`Process`], with all methods of one, and has [`join`](Worker::join) besides. When the function has returned the
/// process is gone with all that it started, [`pid`](Process::pid) is `None`, and [`start`](Process::start) runs it again with
/// the same arguments, as [`call`](Worker::call) and [`start_with`](Worker::start_with) do with others. An attribute hands it
/// over as `w: Worker<u32>` or `w: &Worker<u32>`, a stack by [`get`](crate::Stack::get)`::<Worker<u32>>("w")`.
///
/// ```
/// use pkit_test::function;
///
/// fn double(n: u32) -> u32 { n * 2 }
///
/// # fn main() -> pkit_test::Result<()> {
/// let worker = function(double, 21).start()?;
/// assert_eq!(worker.join()?, 42);
/// assert_eq!(worker.pid(), None);
/// worker.start()?;
/// assert_eq!(worker.join()?, 42);
/// assert_eq!(worker.call(4)?, 8);
/// # Ok(()) }
/// ```
pub struct Worker<R> {
    process: Process,
    returns: PhantomData<fn() -> R>,
}

const JOINING: &str = "join it";

const WITHOUT_DEADLINE: &str = "without a deadline it waits for the end";

impl<R: 'static> Started for Worker<R> {
    fn of(process: Process) -> Worker<R> {
        Worker { process, returns: PhantomData }
    }

    fn process(&self) -> &Process {
        &self.process
    }
}

impl<R> Deref for Worker<R> {
    type Target = Process;

    fn deref(&self) -> &Process {
        &self.process
    }
}

impl<R> fmt::Debug for Worker<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.process.fmt(f)
    }
}

impl<R: DeserializeOwned> Worker<R> {
    /// Waits until its process has ended and nothing of it is left, and takes what the function returned.
    ///
    /// It is there as often as it is asked for, until the function is started again. What failed here has been told: the end of
    /// the test does not complain of it once more.
    ///
    /// ```
    /// use pkit_test::function;
    ///
    /// fn parse(text: String) -> Result<u32, String> { text.parse().map_err(|_| format!("{text} is no number")) }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(function(parse, "7".to_owned()).start()?.join()?, Ok(7));
    /// // What it returns may well be an error. That it returned none is a failure.
    /// assert_eq!(function(parse, "x".to_owned()).start()?.join()?, Err("x is no number".to_owned()));
    ///
    /// let failure = function(|n: u32| 7 / n, 0).start()?.join().unwrap_err();
    /// assert!(failure.is_panic());
    /// assert_eq!(failure.message(), "attempt to divide by zero");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When it panicked, exited, was killed, or returned what cannot be handed over: a [`Failure`] says which.
    pub fn join(&self) -> Result<R, Failure> {
        self.join_until(None).map(|returned| returned.expect(WITHOUT_DEADLINE))
    }

    /// Waits as long as that: `None` while it still runs.
    ///
    /// As with [`wait_timeout`](Process::wait_timeout), it is no error when the time passes, and no setting changes it.
    ///
    /// ```
    /// use std::time::Duration;
    /// use pkit_test::{current, function, ready::Said};
    ///
    /// fn patient() -> u32 {
    ///     while !current().terminating() {
    ///         current().ready();
    ///         std::thread::sleep(Duration::from_millis(1));
    ///     }
    ///     7
    /// }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let worker = function(patient, ()).ready(Said::ready()).start()?;
    /// assert_eq!(worker.join_timeout(Duration::from_millis(10))?, None);
    /// worker.terminate()?;
    /// assert_eq!(worker.join_timeout(Duration::ZERO)?, Some(7));
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`join`](Worker::join).
    pub fn join_timeout(&self, timeout: Duration) -> Result<Option<R>, Failure> {
        self.join_until(Some(deadline_in(timeout)))
    }

    /// Starts it again with other arguments. Returns when it runs, or when its probes hold.
    ///
    /// From now on these are the arguments of [`start`](Process::start) and [`restart`](Process::restart) as well.
    ///
    /// ```
    /// use pkit_test::function;
    /// # fn main() -> pkit_test::Result<()> {
    /// let worker = function(|text: String, n: usize| text.repeat(n), ("a".to_owned(), 3)).start()?;
    /// assert_eq!(worker.join()?, "aaa");
    /// worker.start_with(("b".to_owned(), 2))?;
    /// assert_eq!(worker.join()?, "bb");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// While it runs; when these are not what the function takes, or cannot be serialized. And as [`start`](Process::start).
    pub fn start_with<A: Serialize + 'static>(&self, arguments: A) -> Result<()> {
        self.started_with(&arguments).map(drop)
    }

    fn started_with<A: Serialize + 'static>(&self, arguments: &A) -> Result<Awaited> {
        let refused = |why: String| {
            let title = format!("`{}` was not started: {why}", self.name());
            Error::new(Kind::Spec, title).fact("spec", self.core.life(|life| life.spec.shown()))
        };
        let encoded = callable::encode(arguments);
        let encoded = encoded.map_err(|why| refused(format!("its arguments cannot be serialized: {why}")))?;
        let callee = self.core.life(|life| life.spec.callee().cloned());
        let callee = callee.ok_or_else(|| refused("it is a program by now".to_owned()))?;
        let given = type_name::<A>();
        // What is of the same type need not be read to know that.
        let fits = if callee.takes == given { Ok(()) } else { (callee.reads)(&encoded) };
        fits.map_err(|why| refused(format!("it takes {}, and was given {given}: {why}", callee.takes)))?;
        self.process.start_changed(|spec| {
            if let Body::Function(callee) = &mut spec.body {
                callee.arguments = Ok(encoded);
            }
        })
    }

    /// Runs it again with other arguments, and waits for what it returns.
    ///
    /// ```
    /// use pkit_test::function;
    /// # fn main() -> pkit_test::Result<()> {
    /// let worker = function(|a: u32, b: u32| a / b, (6, 2)).start()?;
    /// assert_eq!(worker.join()?, 3);
    /// assert_eq!(worker.call((8, 2))?, 4);
    /// assert!(worker.call((8, 0)).unwrap_err().is_panic());
    /// assert_eq!(worker.call((9, 3))?, 3);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`start_with`](Worker::start_with) and [`join`](Worker::join).
    pub fn call<A: Serialize + 'static>(&self, arguments: A) -> Result<R, Failure> {
        let awaited = self.started_with(&arguments).map_err(|error| Failure::error(&error))?;
        // Not by `join`: another thread may have started the next run already, with its own arguments.
        self.returned(awaited, None).map(|returned| returned.expect(WITHOUT_DEADLINE))
    }

    fn join_until(&self, deadline: Option<Instant>) -> Result<Option<R>, Failure> {
        let awaited = self.process.core.awaited(JOINING).map_err(|error| Failure::error(&error))?;
        self.returned(awaited, deadline)
    }

    /// What came of that run; `None` where it still runs at the deadline.
    fn returned(&self, awaited: Awaited, deadline: Option<Instant>) -> Result<Option<R>, Failure> {
        let Some(phase) = awaited.run.wait_over(deadline) else { return Ok(None) };
        let result = self.outcome(&awaited.run, phase, awaited.parcel.as_deref());
        if result.is_err() {
            self.process.core.was_told(&awaited.run);
            awaited.was_told();
        }
        result.map(Some)
    }

    fn outcome(&self, run: &Run, phase: Phase, parcel: Option<&Parcel>) -> Result<R, Failure> {
        let (Some(exit), Some(parcel)) = (phase.exit(), parcel) else {
            return Err(Failure::error(&self.core.ended_error(JOINING, phase)));
        };
        let name = self.name();
        match parcel.outcome() {
            Outcome::Returned(bytes) if exit.success() => {
                codec::read(&bytes).map_err(|why| Failure::unreadable(name, &why))
            }
            outcome => {
                let words = last_words(run.log(), run.since(), LAST_WORDS_LINES, TAIL_BYTES);
                let last_words = words.map(|(stream, tail)| (stream.name(), tail.lines.join("\n")));
                Err(Failure::of(Ran { name, exit, outcome, panic: parcel.panic(), last_words }))
            }
        }
    }
}
