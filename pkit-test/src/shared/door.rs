//! The way to the broker of a run: whoever needs it first starts it, and there is never more than one.
//!
//! ```text
//! connect ──► somebody listens ──────────────────────────────────────────────────────────► it
//!    │ nobody does
//!    ▼
//! start.lock ──► connect again ──► alive.lock ──► listen ──► execute a broker, which ──► let go ──► connect
//!  (waits)         (others were      (waits for     (clients    has the socket and        of
//!                   quicker)          one that       may come    alive.lock               start.lock
//!                                     is ending)     from now on)
//! ```
//!
//! Whoever dies on the way lets go of the locks, and the next one begins anew: what was made is made again. The
//! lock of a broker that was killed is free when the guardians below it have ended all that it kept. Clients that came while it was about to begin see the end of their connection.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Mutex;
use std::time::Instant;

use nix::errno::Errno;

use super::run::{self, TestRun};
use crate::config::{self, deadline_in, scaled};
use crate::duration::in_words;
use crate::error::{Error, Kind, Result};
use crate::guardian::broker::directory::{self, RunDirectory};
use crate::guardian::broker::protocol::Ask;
use crate::guardian::{client, wire};
use crate::limits::{BROKER_LIMIT, BROKER_STARTS, GOODBYE_LIMIT, REPLY_LIMIT};
use crate::network;
use crate::sync::lock;
use crate::sys::child::own_pid;
use crate::sys::takeover::{self, Owner};
use crate::sys::{child, fd, peer, platform, room, socket, user};

/// Brokers that this process has started, with itself: a fork has not. They outlive it, unless it is the run.
static STARTED: Mutex<Vec<(i32, Child)>> = Mutex::new(Vec::new());

/// A connection to the broker of a run, which is started if there is none.
///
/// It may end before the broker has said a word: where that, or whoever was about to start it, is killed. Then it is asked for again.
///
/// # Errors
///
/// When there is no place for its socket, the run is over, or the broker was not started in time.
pub(crate) fn connect(run: &TestRun) -> Result<UnixStream> {
    let began = Instant::now();
    client::say_mistakes();
    let ways = Way::all(run);
    for way in &ways {
        match way.try_connect() {
            Ok(Some(stream)) => {
                config::log(|| format!("broker of {} found in {}", run.shown(), in_words(began.elapsed())));
                return welcomed(run, stream);
            }
            Ok(None) | Err(Obstacle::Place(_)) => {}
            Err(Obstacle::Start(error)) => return Err(error),
        }
    }
    let stream = start(run, ways)?;
    config::log(|| format!("broker of {} started in {}", run.shown(), in_words(began.elapsed())));
    welcomed(run, stream)
}

fn welcomed(run: &TestRun, stream: UnixStream) -> Result<UnixStream> {
    if run.is_own {
        takeover::at_exit_behind(goodbye);
    }
    let stream = fd::above_standard(stream.into()).map(UnixStream::from);
    stream.map_err(|error| Error::system("the broker of the run was not reached", error))
}

/// One place where the broker may listen.
#[derive(Debug, Clone)]
struct Way {
    /// What it is in, which others may have, too.
    place: PathBuf,
    base: PathBuf,
    name: String,
}

impl Way {
    /// The same ones in the same order for all tests of a run: by the environment of its runner, as a test may have directories of
    /// its own.
    fn all(run: &TestRun) -> Vec<Way> {
        let environment = run.environment();
        let get = |wanted: &str| {
            let found = environment.iter().find(|(name, _)| name == wanted);
            found.map(|(_, value)| PathBuf::from(value))
        };
        let runtime = get("XDG_RUNTIME_DIR").filter(|runtime| is_runtime_directory(runtime));
        let places = runtime.into_iter().chain(room::temporary_places(get("TMPDIR")));
        let name = directory::name(&run.key);
        let way = |place: PathBuf| Way { base: directory::base(&place), place, name: name.clone() };
        places.filter(|place| fits(place)).map(way).collect()
    }

    /// `None` where nobody listens.
    fn try_connect(&self) -> std::result::Result<Option<UnixStream>, Obstacle> {
        if let Some(why) = directory::objection(&self.base) {
            return Err(Obstacle::Place(why.to_owned()));
        }
        match socket::connect_unix(&directory::socket(&self.base, &self.name), REPLY_LIMIT) {
            Ok(stream) if peer::is_own_user(&stream) => Ok(Some(stream)),
            Ok(_) => Err(Obstacle::Place("another user listens there".to_owned())),
            Err(error) if is_nobody(&error) => Ok(None),
            // There is one, and there must not be another.
            Err(error) => Err(Obstacle::Start(Error::system("the broker of the run was not reached", error))),
        }
    }
}

/// Of ours alone, as it is meant to be.
fn is_runtime_directory(path: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    const OTHERS: u32 = 0o077;
    let found = path.symlink_metadata();
    found.is_ok_and(|found| found.is_dir() && found.uid() == user::own_uid() && found.mode() & OTHERS == 0)
}

fn fits(place: &Path) -> bool {
    place.is_absolute() && place.as_os_str().len() + directory::PATH_BYTES <= socket::PATH_BYTES
}

/// Or it is no place for anybody, which is found out when one is started.
fn is_nobody(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, NotADirectory, NotFound, PermissionDenied};
    matches!(error.kind(), NotFound | ConnectionRefused | NotADirectory | PermissionDenied)
}

/// Why a broker was not started.
enum Obstacle {
    /// Another place may do.
    Place(String),
    Start(Error),
}

impl Obstacle {
    /// What the place is blamed for. Where this process has no more descriptors another place is none the better.
    fn at_place(error: io::Error) -> Obstacle {
        match error.raw_os_error().map(Errno::from_raw) {
            Some(Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM) => Obstacle::Start(not_started(error)),
            _ => Obstacle::Place(error.to_string()),
        }
    }
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Obstacle {
        Obstacle::Start(error)
    }
}

fn start(run: &TestRun, ways: Vec<Way>) -> Result<UnixStream> {
    client::check_system()?;
    let (run, deadline) = (run.clone(), deadline_in(scaled(BROKER_LIMIT)));
    // It is for all tests of a run, and so it is in no network of one.
    network::at_home(move || start_somewhere(&run, &ways, deadline))
}

fn start_somewhere(run: &TestRun, ways: &[Way], deadline: Instant) -> Result<UnixStream> {
    check_life(run)?;
    let mut refused = Vec::new();
    for way in ways {
        match way.start_again(run, deadline) {
            Ok(stream) => return Ok(stream),
            Err(Obstacle::Start(error)) => return Err(error),
            Err(Obstacle::Place(why)) => refused.push(format!("{}: {why}", way.base.display())),
        }
    }
    Err(Error::new(Kind::System, "the broker of the run was not started: there is no place for its socket")
        .fact("run", run.shown())
        .fact("tried", refused.join("\n"))
        .fact("hint", "it needs a directory of this user alone, with a short path: XDG_RUNTIME_DIR, or TMPDIR"))
}

/// How far a start has come, for tests that kill it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Locked,
    Listening,
    Spawned,
}

#[cfg(not(test))]
fn reached(_step: Step) {}

#[cfg(test)]
use tests::reached;

impl Way {
    /// A broker may be killed before anybody has come to it.
    fn start_again(&self, run: &TestRun, deadline: Instant) -> std::result::Result<UnixStream, Obstacle> {
        for _ in 0..BROKER_STARTS {
            if let Some(stream) = self.start(run, deadline)? {
                return Ok(stream);
            }
        }
        Err(not_started(io::ErrorKind::ConnectionRefused.into()).into())
    }

    fn start(&self, run: &TestRun, deadline: Instant) -> std::result::Result<Option<UnixStream>, Obstacle> {
        if !room::has_room(&self.place) {
            return Err(Obstacle::Place("it is full, or nothing can be written there".to_owned()));
        }
        let locked = RunDirectory::lock(&self.base, &self.name, deadline).map_err(Obstacle::at_place)?;
        let (directory, start) = locked.ok_or_else(|| too_long(run, "another test is about to start it"))?;
        reached(Step::Locked);
        if let Some(stream) = self.try_connect()? {
            return Ok(Some(stream));
        }
        let alive = directory.wait_for_end(deadline).map_err(Obstacle::at_place)?;
        let alive = alive.ok_or_else(|| too_long(run, "the one before it is about to end, and does not"))?;
        let listener = directory.listen().map_err(Obstacle::at_place)?;
        reached(Step::Listening);
        spawn(run, listener.into(), alive.share().map_err(not_started)?)?;
        reached(Step::Spawned);
        alive.leave();
        drop(start);
        let stream = self.try_connect();
        directory.remove_others();
        stream
    }
}

fn spawn(run: &TestRun, listener: OwnedFd, alive: OwnedFd) -> Result<()> {
    let owner = owner(run)?;
    let broker = takeover::spawn_broker(listener, owner, alive).map_err(not_started)?;
    let mut started = lock(&STARTED);
    // Those that were killed, so that they are no zombies. Those of a parent are the parent's.
    started.retain_mut(|(pid, broker)| *pid == own_pid() && matches!(broker.try_wait(), Ok(None)));
    started.push((own_pid(), broker));
    Ok(())
}

/// Held before it is asked whether it is the one that was found: until then its id may have become another's.
fn owner(run: &TestRun) -> Result<Owner> {
    let runner = platform::pidfd_open(run.runner).map_or(Owner::Parent(run.runner), Owner::Pidfd);
    check_life(run).map(|()| runner)
}

fn check_life(run: &TestRun) -> Result<()> {
    if run.is_over() {
        let title = "the broker of the run was not started: the run is over";
        return Err(Error::new(Kind::State, title).fact("run", run.shown()));
    }
    Ok(())
}

fn not_started(error: io::Error) -> Error {
    let why = client::why_not_spawned(&error);
    Error::system("the broker of the run was not started", error).fact("why", why)
}

fn too_long(run: &TestRun, why: &str) -> Error {
    let title = format!("the broker of the run was not started in {}", in_words(scaled(BROKER_LIMIT)));
    Error::new(Kind::Timeout, title).fact("run", run.shown()).fact("why", why)
}

/// At the normal exit of a process that is a run: tells the broker and waits for it, so that nothing runs after the end.
fn goodbye() {
    let Some(run) = run::known().filter(|run| run.is_own) else { return };
    let stream = Way::all(run).iter().find_map(|way| way.try_connect().ok().flatten());
    let brokers: Vec<Child> = own_brokers();
    // One that somebody has stopped would not hear it. As long as it was not reaped its id means it.
    brokers.iter().for_each(|broker| child::wake(broker.id() as i32));
    let is_over = stream.is_none_or(|stream| {
        let said = wire::send(&stream, &Ask::Over.to_frame(), None);
        said.is_ok() && fd::is_closed_within(&stream, GOODBYE_LIMIT)
    });
    for mut broker in brokers {
        if !is_over {
            // Its guardians see its end, and stop what they have.
            let _ = broker.kill();
        }
        let _ = broker.wait();
    }
}

/// Those that this process has started, and nobody has reaped.
fn own_brokers() -> Vec<Child> {
    let started = std::mem::take(&mut *lock(&STARTED));
    let own = started.into_iter().filter(|(pid, _)| *pid == own_pid()).map(|(_, broker)| broker);
    own.filter_map(|mut broker| matches!(broker.try_wait(), Ok(None)).then_some(broker)).collect()
}

#[cfg(test)]
mod tests;
