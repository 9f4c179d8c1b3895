//! Several processes of one function, with arguments of their own each.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::callable::Callable;
use super::worker::{Worker, function};
use crate::error::Result;
use crate::ground::{Executor, Ground, Need};
use crate::handle::{Process, Started};
use crate::isolation::Isolation;
use crate::limits::PARALLEL_STARTS;
use crate::spec::Spec;
use crate::sync::lock;

/// A function in `count` processes, each with the arguments that `arguments` makes for its number.
///
/// An executor whose handle is a `Vec` of [`Worker`]s, in this order. All of them are started before one of them is waited for,
/// and if one fails to start the others are taken down. Each has a place of its own: in a stack the port of the second one is
/// `{name.1.port}`.
///
/// ```
/// use pkit_test::workers;
///
/// # fn main() -> pkit_test::Result<()> {
/// let squares = workers(3, |n: usize| n * n, |i| i + 1).start()?;
/// let squares: Result<Vec<usize>, _> = squares.iter().map(|worker| worker.join()).collect();
/// assert_eq!(squares?, [1, 4, 9]);
/// # Ok(()) }
/// ```
///
/// As an attribute:
///
/// ```
/// use pkit_test::{Worker, with_processes, workers};
///
/// fn greet(number: usize, name: String) -> String { format!("{name} {number}") }
///
/// #[with_processes(greeters = workers(2, greet, |i| (i, "hello".to_owned())))]
/// # fn greet_twice(greeters: Vec<Worker<String>>) -> Result<(), pkit_test::Failure> {
/// # /*
/// #[test]
/// fn greet_twice(greeters: Vec<Worker<String>>) -> Result<(), pkit_test::Failure> {
/// # */
///     assert_eq!(greeters[0].name(), "greeters.0");
///     assert_eq!(greeters[1].join()?, "hello 1");
///     Ok(())
/// }
/// # greet_twice().unwrap();
/// ```
#[track_caller]
pub fn workers<F, A, M>(count: usize, function: F, arguments: impl FnMut(usize) -> A) -> Workers<F::Output>
where
    F: Callable<A, M>,
    A: Serialize + DeserializeOwned + 'static,
    M: 'static,
    F::Output: Serialize + DeserializeOwned,
{
    let mut arguments = arguments;
    let mut specs = Vec::new();
    // No closure: the place where a spec was written is that of the caller.
    for index in 0..count {
        specs.push(self::function(function, arguments(index)));
    }
    Workers { specs }
}

/// Several processes of one function: what [`workers`] makes.
#[must_use = "workers do nothing until they are started"]
pub struct Workers<R> {
    specs: Vec<Spec<Worker<R>>>,
}

impl<R: 'static> Workers<R> {
    /// Says something about all of them: ports, environment, timeouts, supervision.
    ///
    /// ```
    /// use pkit_test::{current, workers};
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let nodes = workers(2, || current().port_of("api"), |_| ()).each(|spec| spec.port("api")).start()?;
    /// assert_eq!(nodes[0].join()?, nodes[0].port_of("api"));
    /// assert_ne!(nodes[0].port_of("api"), nodes[1].port_of("api"));
    /// # Ok(()) }
    /// ```
    pub fn each(self, say: impl Fn(Spec<Worker<R>>) -> Spec<Worker<R>>) -> Workers<R> {
        self.with(|_, spec| say(spec))
    }

    /// Says something about each of them, with its number.
    ///
    /// ```
    /// use pkit_test::workers;
    ///
    /// fn rank() -> String { std::env::var("RANK").unwrap() }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// let ranked = workers(2, rank, |_| ()).with(|i, spec| spec.env("RANK", i.to_string())).start()?;
    /// assert_eq!(ranked[1].join()?, "1");
    /// # Ok(()) }
    /// ```
    pub fn with(self, mut say: impl FnMut(usize, Spec<Worker<R>>) -> Spec<Worker<R>>) -> Workers<R> {
        let specs = self.specs.into_iter().enumerate();
        Workers { specs: specs.map(|(index, spec)| say(index, spec)).collect() }
    }

    /// Starts all of them by themselves, and returns when all are ready. They have the name of their function, a dot and a number.
    ///
    /// ```
    /// use pkit_test::workers;
    ///
    /// fn work(n: usize) -> usize { n }
    ///
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(workers(2, work, |i| i).start()?[1].name(), "work.1");
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// When one of them did not become ready, as [`Spec::start`]. Nothing is left then.
    pub fn start(self) -> Result<Vec<Worker<R>>> {
        let name = self.specs.first().map_or_else(|| "workers".to_owned(), Spec::own_name);
        Ground::alone(name, &self)?.start(self)
    }

    fn grounds(&self, ground: &Ground) -> Vec<Ground> {
        (0..self.specs.len()).map(|index| ground.replica(index)).collect()
    }
}

impl<R: 'static> Executor for Workers<R> {
    type Handle = Vec<Worker<R>>;

    fn needs(&self) -> Vec<Need> {
        let mut needs: Vec<Need> = self.specs.iter().flat_map(Executor::needs).collect();
        needs.sort();
        // Of many that say the same one is enough.
        needs.dedup();
        needs
    }

    fn isolates(&self, isolation: Isolation) -> bool {
        self.specs.iter().any(|spec| spec.isolates(isolation))
    }

    fn place(&mut self, ground: &Ground) -> Result<()> {
        ground.refuse_late_network(self)?;
        let grounds = self.grounds(ground);
        self.specs.iter_mut().zip(&grounds).try_for_each(|(spec, ground)| spec.place(ground))
    }

    fn start_on(self, ground: &Ground) -> Result<Vec<Worker<R>>> {
        let grounds = self.grounds(ground);
        let spawned: Result<Vec<Process>> =
            self.specs.into_iter().zip(&grounds).map(|(spec, ground)| spec.spawn_on(ground)).collect();
        let workers: Vec<Worker<R>> = all_ready(spawned?)?.into_iter().map(Worker::of).collect();
        for (worker, ground) in workers.iter().zip(&grounds) {
            ground.publish::<Spec<Worker<R>>>(worker);
        }
        Ok(workers)
    }

    fn start(self) -> Result<Vec<Worker<R>>> {
        Workers::start(self)
    }
}

impl<R> fmt::Debug for Workers<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(&self.specs).finish()
    }
}

/// Waits until all are ready. With the first that is not, the others are given up.
fn all_ready(processes: Vec<Process>) -> Result<Vec<Process>> {
    let (next, first_error) = (AtomicUsize::new(0), Mutex::new(None));
    let wait = || {
        while let Some(process) = processes.get(next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = process.wait_ready() {
                lock(&first_error).get_or_insert(error);
                give_up(&processes);
            }
        }
    };
    thread::scope(|threads| {
        for _ in 1..processes.len().min(PARALLEL_STARTS) {
            // Where there cannot be as many threads, those that there are wait for more.
            let _ = thread::Builder::new().spawn_scoped(threads, wait);
        }
        wait();
    });
    first_error.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(processes), Err)
}

/// Ends the wait for those that are not ready yet. What is ready is taken down in its own way by whoever drops it.
fn give_up(processes: &[Process]) {
    let is_waited_for = |process: &&Process| process.core.life(|life| life.ready_after.is_none());
    for process in processes.iter().filter(is_waited_for) {
        // One that cannot be killed is waited for, until its time is over.
        let _ = process.kill();
    }
}
