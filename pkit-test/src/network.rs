//! A network of its own for a test: who is in it, and the way back.
//!
//! A network belongs to a thread, and to the threads that it makes from then on. So the thread of a test goes into its
//! network before anything is reserved, as the names of ports are of a network too, and comes back when all is over. Where
//! a thread is only the kernel knows, also of the threads of users; so that is asked, and not remembered.
//!
//! Whatever is for the whole process (the guardian, the thread of the callbacks) is made at home, in the network from
//! which the test has gone.

use std::cell::RefCell;
use std::env;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use crate::error::{Error, Kind, Result};
use crate::sync::lock;
use crate::sys::namespace::{self, Refusal, USER_NAMESPACE, UserNamespace};
use crate::sys::takeover;

/// A network that a test has for itself. It is there as long as somebody is in it or knows it.
#[derive(Debug, Clone)]
pub(crate) struct Network {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    network: OwnedFd,
    id: u64,
    /// Where the thread was that has made it.
    home: OwnedFd,
}

/// Those of this process that somebody knows.
static KNOWN: Mutex<Vec<Weak<Inner>>> = Mutex::new(Vec::new());

/// There has been one, so that it is worth asking where a thread is.
static HAS_ANY: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// The network that this thread has made, and how many stay in it on its account.
    static VISIT: RefCell<Option<Visit>> = const { RefCell::new(None) };
}

#[derive(Debug)]
struct Visit {
    network: Network,
    stays: Arc<AtomicUsize>,
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

    fn make() -> std::result::Result<Network, Refusal> {
        let refused = |error| Refusal { call: "open(/proc/thread-self/ns/net)", error };
        let home = namespace::network_of_thread().map_err(refused)?;
        // First, and also where it is made by halves: whoever looks for the way back finds it.
        let made = namespace::make_network().and_then(|()| {
            let network = namespace::network_of_thread().map_err(refused)?;
            Ok((network, namespace::network_id_of_thread().map_err(refused)?))
        });
        let (network, id) = made.inspect_err(|_| go_to(home.as_fd()))?;
        let network = Network { inner: Arc::new(Inner { network, id, home }) };
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

    /// Lets the calling thread be in it until the end of what this returns.
    pub(crate) fn enter(&self) -> Result<Elsewhere> {
        self.try_enter().map_err(|error| Error::system("the network of the test was not entered", error))
    }

    fn try_enter(&self) -> io::Result<Elsewhere> {
        if namespace::network_id_of_thread()? == self.inner.id {
            return Ok(Elsewhere { back: None });
        }
        let back = namespace::network_of_thread()?;
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
            go_to(back.as_fd());
        }
    }
}

/// Lets the calling thread be where nobody's test is, to make what outlives the test that is at it.
pub(crate) fn at_home() -> io::Result<Elsewhere> {
    let Some(here) = Network::here() else { return Ok(Elsewhere { back: None }) };
    namespace::enter_network(&here.inner.home)?;
    Ok(Elsewhere { back: Some(here.descriptor()?) })
}

/// Goes back. The right to that is the one that it took to come here, and cannot have gone: only a test that has
/// given it up meanwhile stays where it is.
fn go_to(network: BorrowedFd<'_>) {
    let _ = namespace::enter_network(network);
}

/// As long as this is there its thread stays in the network. The thread that has made the network goes home with the last
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
        go_home_if_over();
        if let Some(here) = Network::here() {
            return Ok(Some(Stay::in_network(here)));
        }
        let Some(name) = wanted_by else { return Ok(None) };
        let network = make_for(name)?;
        let _ = VISIT.try_with(|visit| {
            *visit.borrow_mut() = Some(Visit { network: network.clone(), stays: Arc::default() });
        });
        Ok(Some(Stay::in_network(network)))
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
            go_home_if_over();
        }
    }
}

fn go_home_if_over() {
    let is_over = |visit: &mut Visit| visit.stays.load(Ordering::Relaxed) == 0;
    let over = VISIT.try_with(|visit| visit.borrow_mut().take_if(is_over));
    // A thread that ends needs no home.
    if let Ok(Some(over)) = over {
        go_to(over.network.inner.home.as_fd());
    }
}

fn make_for(name: &str) -> Result<Network> {
    Network::make().or_else(|refusal| {
        let lacks_right = refusal.error.kind() == io::ErrorKind::PermissionDenied;
        if lacks_right && namespace::user_namespace() == UserNamespace::None && is_alone() && !is_set() {
            // It is this test and nothing else, and begins anew.
            let _ = takeover::execute_again(USER_NAMESPACE, "1");
        }
        Err(refused(name, &refusal, lacks_right))
    })
}

/// Whether this process runs one test.
fn is_alone() -> bool {
    env::var_os("NEXTEST_EXECUTION_MODE").is_some_and(|mode| mode == "process-per-test")
}

fn is_set() -> bool {
    namespace::is_asked(env::var(USER_NAMESPACE).ok().as_deref())
}

fn refused(name: &str, refusal: &Refusal, lacks_right: bool) -> Error {
    let title = format!("`{name}` was not started: the test cannot have a network of its own");
    let error = Error::new(Kind::Unsupported, title).fact("refused", format!("{}: {}", refusal.call, refusal.error));
    if !lacks_right {
        return error;
    }
    match namespace::user_namespace() {
        UserNamespace::Refused { call, errno } => {
            let why = format!("{call}: {}", io::Error::from_raw_os_error(errno));
            let error = error.fact("why", format!("it takes root or a user namespace, and that was refused: {why}"));
            error.fact("hint", namespace::obstacle().unwrap_or_default())
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
