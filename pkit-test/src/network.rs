//! A network of its own for a test: who is in it, and the way back.
//!
//! A network belongs to a thread, and to the threads that it makes from then on. So the thread of a test goes into its
//! network before anything is reserved, as the names of ports are of a network too, and comes back when all is over. Where
//! a thread is only the kernel knows, also of the threads of users; so that is asked, and not remembered.
//!
//! There is not always a way back: whoever has the right to make networks from a user namespace may not enter the one
//! from which it came. So nothing here relies on it. What is to be done in a network by a thread that is not in it is done
//! by a thread that is made for it and ends there; what is for the whole process (the guardian, the thread of the
//! callbacks) is made by one that has never left; and the thread of a test stays where it is when it cannot go back, which
//! under libtest is its end anyway.

use std::cell::RefCell;
use std::env;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;

use crate::error::{Error, Kind, Result};
use crate::sync::lock;
use crate::sys::namespace::{self, Refusal, USER_NAMESPACE, UserNamespace};
use crate::sys::takeover;

mod home;

pub(crate) use home::at_home;

/// A network that a test has for itself. It is there as long as somebody is in it or knows it.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    network: OwnedFd,
    id: u64,
}

/// Those of this process that somebody knows.
static KNOWN: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// There has been one, so that it is worth asking where a thread is.
static HAS_ANY: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The network that this thread has made.
    static VISIT: RefCell<Option<Visit>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Visit {
    network: Network,
    /// How many of this thread want it to be there.
    stays: Arc<AtomicUsize>,
    /// Where it came from.
    home: OwnedFd,
}

impl Network {
    /// The one that the calling thread is in, if it is one of ours.
    pub(crate) fn here() -> Option<Network> {
        if !HAS_ANY.load(Ordering::Relaxed) {
            return None;
        }
        let id = namespace::network_id_of_thread().ok()?;
        let known = lock(&KNOWN);
        let inner = known.iter().filter_map(Weak::upgrade).find(|inner| inner.id == id)?;
        Some(Network { inner })
    }

    /// A new one, with the calling thread in it.
    fn make() -> std::result::Result<Network, Refusal> {
        namespace::make_network()?;
        let refused = |error| Refusal { call: "open(/proc/thread-self/ns/net)", error };
        let network = namespace::network_of_thread().map_err(refused)?;
        let id = namespace::network_id_of_thread().map_err(refused)?;
        let network = Network { inner: Arc::new(Inner { network, id }) };
        let mut known = lock(&KNOWN);
        known.retain(|inner| inner.strong_count() > 0);
        known.push(Arc::downgrade(&network.inner));
        HAS_ANY.store(true, Ordering::Relaxed);
        Ok(network)
    }

    /// A number that no other network has while this one is there.
    pub(crate) fn id(&self) -> u64 {
        self.inner.id
    }

    /// For a process that is to be in it.
    pub(crate) fn descriptor(&self) -> io::Result<OwnedFd> {
        self.inner.network.try_clone()
    }

    fn is_here(&self) -> io::Result<bool> {
        Ok(namespace::network_id_of_thread()? == self.inner.id)
    }

    /// Does something in it: here, or on a thread that is made for that.
    pub(crate) fn run<R: Send>(&self, work: impl FnOnce() -> R + Send) -> Result<R> {
        let refused = |error| Error::system("the network of the test was not entered", error);
        if self.is_here().map_err(refused)? {
            return Ok(work());
        }
        thread::scope(|threads| {
            let there = thread::Builder::new().name("pkit-network".to_owned()).spawn_scoped(threads, || {
                namespace::enter_network(&self.inner.network)?;
                Ok(work())
            });
            there.map_err(refused)?.join().unwrap_or_else(|panic| resume_unwind(panic)).map_err(refused)
        })
    }

    /// Lets the calling thread be in it until the end of what this returns.
    ///
    /// # Errors
    ///
    /// When it could not come back.
    pub(crate) fn enter(&self) -> Result<Elsewhere> {
        self.try_enter().map_err(|error| {
            Error::system("a thread that was not in the network of its test could not go there", error)
                .fact("hint", "a future whose test has a network of its own has to stay on one thread")
        })
    }

    fn try_enter(&self) -> io::Result<Elsewhere> {
        if self.is_here()? {
            return Ok(Elsewhere { back: None });
        }
        let back = namespace::network_of_thread()?;
        // To where it is already: what is refused now would be refused on the way back.
        namespace::enter_network(&back)?;
        namespace::enter_network(&self.inner.network)?;
        Ok(Elsewhere { back: Some(back) })
    }
}

/// A thread that is in another network than before, until this is dropped.
#[derive(Debug)]
#[must_use = "when it is dropped the thread goes back"]
pub(crate) struct Elsewhere {
    back: Option<OwnedFd>,
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        if let Some(back) = &self.back {
            go_back(back.as_fd());
        }
    }
}

/// Whether it could: from a user namespace nobody can.
fn go_back(network: BorrowedFd<'_>) -> bool {
    namespace::enter_network(network).is_ok()
}

/// As long as this is there its thread stays in the network. The thread that has made the network goes back with the last
/// one; also when that is dropped by another thread, but then only at the next time that it has to do with us.
#[derive(Debug)]
pub(crate) struct Stay {
    network: Network,
    /// None for a thread that was born in it.
    visit: Option<Arc<AtomicUsize>>,
}

impl Stay {
    /// Where the calling thread is in a network of ours, or one of its own is wanted by somebody of that name.
    ///
    /// # Errors
    ///
    /// When the system refuses it, or this process has not the right.
    pub(crate) fn begin(wanted_by: Option<&str>) -> Result<Option<Stay>> {
        let was_left = go_back_if_over();
        let here = Network::here().filter(|_| !was_left || wanted_by.is_none());
        match (here, wanted_by) {
            (Some(here), _) => Ok(Some(Stay::in_network(here))),
            (None, Some(name)) => make_for(name).map(|network| Some(Stay::in_network(network))),
            (None, None) => Ok(None),
        }
    }

    fn in_network(network: Network) -> Stay {
        let count = |visit: &RefCell<Option<Visit>>| {
            let visit = visit.borrow();
            let visit = visit.as_ref().filter(|visit| visit.network.id() == network.id())?;
            visit.stays.fetch_add(1, Ordering::Relaxed);
            Some(Arc::clone(&visit.stays))
        };
        let visit = VISIT.try_with(count).ok().flatten();
        Stay { network, visit }
    }

    pub(crate) fn network(&self) -> &Network {
        &self.network
    }
}

impl Drop for Stay {
    fn drop(&mut self) {
        if let Some(stays) = &self.visit {
            stays.fetch_sub(1, Ordering::Relaxed);
            go_back_if_over();
        }
    }
}

/// Whether this thread is still in a network that nobody of it wants any more, as there is no way back.
fn go_back_if_over() -> bool {
    let is_over = |visit: &Visit| visit.stays.load(Ordering::Relaxed) == 0;
    let is_left = VISIT.try_with(|visit| {
        let mut visit = visit.borrow_mut();
        let Some(over) = visit.as_ref().filter(|visit| is_over(visit)) else { return false };
        if go_back(over.home.as_fd()) {
            *visit = None;
        }
        visit.is_some()
    });
    // A thread that ends needs no way back.
    is_left.unwrap_or(false)
}

fn make_for(name: &str) -> Result<Network> {
    let home = namespace::network_of_thread();
    let home = home.map_err(|error| Error::system("the network of the test was not found", error))?;
    home::keep().map_err(|error| Error::system("no thread was started for what is not in a network", error))?;
    let network = Network::make().map_err(|refusal| {
        // It may have been made by halves.
        go_back(home.as_fd());
        begin_anew(&refusal);
        refused(name, &refusal, namespace::user_namespace())
    })?;
    let _ = VISIT.try_with(|visit| {
        // Where there was no way back it is that of the first one.
        let home = visit.borrow_mut().take().map_or(home, |before| before.home);
        *visit.borrow_mut() = Some(Visit { network: network.clone(), stays: Arc::default(), home });
    });
    Ok(network)
}

/// Where this process runs one test and has begun with nothing, it can begin as whoever has the right. Returns where that
/// is not so.
fn begin_anew(refusal: &Refusal) {
    let is_set = namespace::is_asked(env::var(USER_NAMESPACE).ok().as_deref());
    let is_alone = env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test");
    if lacks_right(refusal) && is_alone && !is_set && namespace::obstacle_of_all().is_none() {
        // What it returns says no more than the refusal.
        let _ = takeover::execute_again(USER_NAMESPACE, "1");
    }
}

fn lacks_right(refusal: &Refusal) -> bool {
    refusal.error.kind() == io::ErrorKind::PermissionDenied
}

fn refused(name: &str, refusal: &Refusal, user_namespace: UserNamespace) -> Error {
    let title = format!("`{name}` was not started: the test cannot have a network of its own");
    let error = Error::new(Kind::Unsupported, title).fact("denied", format!("{}: {}", refusal.call, refusal.error));
    if !lacks_right(refusal) {
        return error.fact("hint", namespace::limit_reached(&refusal.error).unwrap_or_default());
    }
    match user_namespace {
        UserNamespace::Refused { call, errno } => {
            let why = format!("{call}: {}", io::Error::from_raw_os_error(errno));
            let error = error.fact("why", format!("it takes root or a user namespace, and that was refused: {why}"));
            error.fact(
                "hint",
                namespace::limit_reached(&io::Error::from_raw_os_error(errno))
                    .or_else(namespace::obstacle)
                    .unwrap_or_default(),
            )
        }
        UserNamespace::Entered => error.fact("why", "it was refused in a user namespace of its own, too"),
        UserNamespace::None => {
            error.fact("why", "it takes root, or a user namespace that is entered before `main`").fact(
                "hint",
                format!("set {USER_NAMESPACE}=1, or run it under nextest, which runs a process for each test"),
            )
        }
    }
}

#[cfg(test)]
mod tests;
