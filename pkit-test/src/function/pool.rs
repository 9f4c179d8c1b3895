//! Worker processes that run one item of work after the other.
//!
//! ```text
//!  the test                                                                    a worker (one of n)
//! ┌─────────┐ encoded  ┌───────┐  take  ┌─────────────┐   one frame   ┌────────────────────────────┐
//! │ map,    │─────────►│ queue │───────►│ driver      │──────────────►│ attend: decode, call,      │
//! │ submit  │◄─────────┤       │        │ (a thread)  │◄──────────────│ catch, encode              │
//! └─────────┘  promise └───────┘        └─────────────┘   one frame   └────────────────────────────┘
//! ```
//!
//! Each worker has a driver, who knows which item it is at: so it is known what a worker has died of, however it died. Nothing
//! but the socket between the two says that it did; what exactly became of it is asked afterwards.

use std::collections::VecDeque;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use nix::sys::signal::{SigSet, SigmaskHow};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::callable::Callable;
use super::failure::Failure;
use super::worker::Worker;
use crate::error::{Error, Result};
use crate::handle::Process;
use crate::limits::POOL_CRASHES;
use crate::sync::lock;
use crate::sys::child::own_pid;

mod spec;
mod map;
mod ticket;
mod job;
mod queue;
mod driver;
mod member;
mod timed;
mod inbox;
mod frame;
mod attend;

use driver::Driver;
use job::{Call, Promise};
pub use map::Map;
use member::Member;
use queue::Queue;
pub use spec::{PoolSpec, pool};
pub use ticket::Ticket;

/// Worker processes that run functions, one item after the other each.
///
/// For work that may crash, leak or hang, and for much of it: a process is there already, so that an item costs a message and not
/// a start. All methods take `&self`, and several threads can share a pool.
///
/// An item that panics has failed, and its worker goes on: statics keep what they had, also what the panicking item left half done.
/// An item that ends its worker has failed, the worker is started again for the next one, and the pool goes on; or it is
/// [tried again](PoolSpec::retries).
///
/// Dropping it lets no item begin any more, stops those that run, and ends the workers. Tickets that have no answer then have failed.
///
/// ```
/// use pkit_test::Pool;
///
/// fn halve(n: u32) -> u32 {
///     if n == 3 { std::process::abort() }
///     assert_eq!(n % 2, 0, "{n} is odd");
///     n / 2
/// }
///
/// # fn main() -> pkit_test::Result<()> {
/// let pool = Pool::new(2)?;
/// let halves: Vec<_> = pool.map(halve, [2, 3, 4, 5]).collect();
/// assert_eq!(halves[0].as_ref().ok(), Some(&1));
/// assert!(halves[1].as_ref().unwrap_err().is_signal());
/// assert_eq!(halves[2].as_ref().ok(), Some(&2));
/// assert!(halves[3].as_ref().unwrap_err().is_panic());
/// // Which item has cost a worker.
/// assert_eq!(pool.crashes()[0].item(), Some(1));
/// # Ok(()) }
/// ```
pub struct Pool {
    shared: Arc<Shared>,
    members: Vec<Arc<Member>>,
    drivers: Vec<JoinHandle<()>>,
    /// The process that it belongs to: a fork of that has the memory, but no driver.
    owner: i32,
}

/// What a pool and its drivers have in common.
#[derive(Debug)]
struct Shared {
    queue: Queue,
    crashes: Mutex<VecDeque<Failure>>,
    retries: u32,
    item_timeout: Option<Duration>,
    /// How many items were handed in for tickets.
    tickets: AtomicU64,
    /// How many drivers there are.
    drivers: AtomicUsize,
}

impl Pool {
    /// A pool of so many workers; more can be said of [`pool`].
    ///
    /// ```
    /// # fn main() -> pkit_test::Result<()> {
    /// assert_eq!(pkit_test::Pool::new(4)?.processes().count(), 4);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`PoolSpec::start`].
    #[track_caller]
    pub fn new(count: usize) -> Result<Pool> {
        pool(count).start()
    }

    /// Runs a function over items, and gives what it returned in the order of the items, whichever is done first.
    ///
    /// Items are taken as the answers are: never more than twice the number of workers ahead. An item of a function with several
    /// parameters is a tuple.
    ///
    /// ```
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(2)?;
    /// let powers = pool.map(u32::pow, [(2, 3), (3, 2)]);
    /// assert_eq!(powers.collect::<Result<Vec<u32>, _>>()?, [8, 9]);
    /// # Ok(()) }
    /// ```
    ///
    /// An answer is an error when its item panicked, when its worker died or its time was over, and when its arguments or its result
    /// could not be handed over. Those of the other items come all the same.
    pub fn map<F, A, M, I>(&self, function: F, items: I) -> Map<'_, I::IntoIter, F::Output>
    where
        F: Callable<A, M>,
        F::Output: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned + 'static,
        M: 'static,
        I: IntoIterator<Item = A>,
    {
        Map::new(self, Call::of::<F, A, M>(function), items.into_iter())
    }

    /// Runs a function once, and waits for what it returns.
    ///
    /// ```
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(1)?;
    /// assert_eq!(pool.run(|a: u32, b: u32| a + b, (1, 2))?, 3);
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Ticket::join`].
    pub fn run<F, A, M>(&self, function: F, arguments: A) -> Result<F::Output, Failure>
    where
        F: Callable<A, M>,
        F::Output: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned + 'static,
        M: 'static,
    {
        self.submit(function, arguments).join()
    }

    /// Hands an item in, to ask for its answer later.
    ///
    /// Waits while as many items as there are workers have been handed in and not begun: whoever has more to do than the pool can is
    /// slowed down, instead of filling memory.
    ///
    /// ```
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(2)?;
    /// let (a, b) = (pool.submit(|n: u32| n + 1, 1), pool.submit(|text: String| text.len(), "four".to_owned()));
    /// assert_eq!((a.join()?, b.join()?), (2, 4));
    /// # Ok(()) }
    /// ```
    pub fn submit<F, A, M>(&self, function: F, arguments: A) -> Ticket<F::Output>
    where
        F: Callable<A, M>,
        F::Output: Serialize + DeserializeOwned,
        A: Serialize + DeserializeOwned + 'static,
        M: 'static,
    {
        let call = Call::of::<F, A, M>(function);
        let number = self.shared.tickets.fetch_add(1, Ordering::Relaxed);
        let promise = match call.job(number, &arguments, true) {
            Ok(job) => {
                let promise = job.promise();
                self.shared.queue.submit(job);
                promise
            }
            Err(failure) => Promise::broken(failure),
        };
        Ticket::new(promise, &call, number)
    }

    /// The crashes so far, the oldest first: each worker that an item has cost, also where the item was tried again and came well, and
    /// also where it was killed for taking too long. Of many, the last thousand.
    ///
    /// [`Failure::item`] says which item it was: its place in what was mapped, or how many were submitted before it. A worker that
    /// somebody has killed while it had nothing to do is there without one, as soon as it is missed.
    ///
    /// ```
    /// use pkit_test::Pool;
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(1)?;
    /// pool.map(|code: i32| std::process::exit(code), [3, 4]).for_each(|answer: Result<(), _>| assert!(answer.is_err()));
    /// let codes = pool.crashes().into_iter().map(|crash| crash.exit().and_then(|exit| exit.code()));
    /// assert_eq!(codes.collect::<Vec<_>>(), [Some(3), Some(4)]);
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn crashes(&self) -> Vec<Failure> {
        lock(&self.shared.crashes).iter().cloned().collect()
    }

    /// Its workers, to look at them, or to cause a crash.
    ///
    /// ```
    /// use pkit_test::{Pool, Signal};
    /// # fn main() -> pkit_test::Result<()> {
    /// let pool = Pool::new(1)?;
    /// pool.processes().next().unwrap().signal(Signal::Kill)?;
    /// assert_eq!(pool.run(|| 7, ())?, 7);
    /// # Ok(()) }
    /// ```
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.members.iter().map(|member| &*member.worker)
    }

    /// One whose workers are up.
    fn of(workers: Vec<Worker<()>>, shared: Arc<Shared>) -> Result<Pool> {
        let members = workers.into_iter().map(|worker| Arc::new(Member::new(worker, shared.item_timeout))).collect();
        let mut pool = Pool { shared, members, drivers: Vec::new(), owner: own_pid() };
        for member in &pool.members {
            let driver = Driver::new(Arc::clone(&pool.shared), Arc::clone(member));
            let thread = spawn(driver).map_err(|error| Error::system("no thread for a worker was started", error))?;
            pool.drivers.push(thread);
        }
        Ok(pool)
    }

    /// An item of a map.
    fn add<A: Serialize>(&self, call: &Call, number: u64, arguments: &A) -> Arc<Promise> {
        match call.job(number, arguments, false) {
            Ok(job) => {
                let promise = job.promise();
                self.shared.queue.add(job);
                promise
            }
            Err(failure) => Promise::broken(failure),
        }
    }

    /// How many items a map has under way.
    fn most_ahead(&self) -> usize {
        self.members.len() * 2
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        if self.owner != own_pid() {
            // The drivers are in the other process, and so is whatever they hold.
            return self.drivers.drain(..).for_each(std::mem::forget);
        }
        for dependent in self.members.iter().flat_map(|member| member.worker.core.dependents()) {
            dependent.stop_with_dependents();
        }
        self.shared.queue.close();
        self.members.iter().for_each(|member| member.cut());
        // A driver that has panicked has said so on stderr.
        self.drivers.drain(..).for_each(|driver| drop(driver.join()));
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("workers", &self.members.len())
            .field("shared", &self.shared)
            .finish_non_exhaustive()
    }
}

impl Shared {
    fn new(workers: usize, retries: u32, item_timeout: Option<Duration>) -> Shared {
        Shared {
            queue: Queue::new(workers),
            crashes: Mutex::default(),
            retries,
            item_timeout,
            tickets: AtomicU64::new(0),
            drivers: AtomicUsize::new(workers),
        }
    }

    /// Notes a crash.
    fn note(&self, failure: Failure) -> Failure {
        let mut crashes = lock(&self.crashes);
        if crashes.len() == POOL_CRASHES {
            crashes.pop_front();
        }
        crashes.push_back(failure.clone());
        failure
    }

    /// Where the last one leaves, nobody waits for an answer any more.
    fn driver_left(&self) {
        if self.drivers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.queue.close();
        }
    }
}

/// The thread takes no signal that a handler of the test waits for.
fn spawn(driver: Driver) -> io::Result<JoinHandle<()>> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK)?;
    let spawned = thread::Builder::new().name("pkit-pool".to_owned()).spawn(move || driver.run());
    before.thread_set_mask()?;
    spawned
}
