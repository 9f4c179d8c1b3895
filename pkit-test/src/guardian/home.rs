//! The run directory of a test process: private, locked for as long as the test or its guardian lives, with a registry in it.
//!
//! ```text
//! make it     lock it          still at its path?      write the registry
//! mkdir ────► flock ─────────► yes ──────────────────► use it
//!   ▲           │ a janitor has it  │ a janitor was quicker
//!   └───────────┴───────────────────┘
//! ```
//!
//! A janitor that comes between the first two steps finds an empty directory that nobody has locked, and removes it; then it is
//! made again. So there is no moment at which one that is used can be taken for one that is left.

use std::fs::{self, DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Instant;

use super::registry::{self, Registry};
use crate::config::config;
use crate::limits::LOCK_LIMIT;
use crate::sync::lock;
use crate::sys::child::own_pid;
use crate::sys::directory::{self, How};
use crate::sys::random::random;
use crate::sys::room;

/// How the names of all run directories begin.
pub(crate) const PREFIX: &str = "pkit-";

/// How many hexadecimal digits the token at the end of the name has.
pub(crate) const TOKEN_DIGITS: usize = 6;

/// Everybody may pass through, for services that run as another user; nobody can list it.
const PASSAGE: u32 = 0o711;

/// The directory of this process, and its lock once it was made.
struct Home {
    owner: i32,
    path: PathBuf,
    directory: Option<OwnedFd>,
}

/// It is the same one for all guardians of this process: what starts again does so in its directory.
static OWN: Mutex<Option<Home>> = Mutex::new(None);

/// Where it is: a directory of our own, short enough for the path of a unix socket in it, that nobody can guess and take before.
pub(super) fn path() -> PathBuf {
    with_own(|home| home.path.clone())
}

/// Makes it if it is not there, and locks it.
///
/// # Errors
///
/// When it can be neither made nor locked.
pub(crate) fn make() -> io::Result<()> {
    with_own(|home| home.make().map(drop))
}

/// The same for a guardian: the lock is as much its own as ours.
pub(super) fn share() -> io::Result<OwnedFd> {
    with_own(|home| home.make()?.try_clone())
}

/// Another one, for what is shared and outlives this process: made and locked, and nobody's but of whoever holds the descriptor.
pub(super) fn another() -> io::Result<(PathBuf, OwnedFd)> {
    let Home { path, .. } = Home::new();
    made(&path).map(|directory| (path, directory))
}

fn with_own<R>(act: impl FnOnce(&mut Home) -> R) -> R {
    let mut own = lock(&OWN);
    // A fork of the test is another process. Its copy of the lock is closed here, and the test has its own.
    own.take_if(|home| home.owner != own_pid());
    act(own.get_or_insert_with(Home::new))
}

impl Home {
    fn new() -> Home {
        let name = format!("{PREFIX}{}-{:0TOKEN_DIGITS$x}", own_pid(), random() & 0xff_ffff);
        Home { owner: own_pid(), path: base().join(name), directory: None }
    }

    fn make(&mut self) -> io::Result<&OwnedFd> {
        // A guardian that has ended has removed it, and so can anybody who cleans up.
        self.directory.take_if(|directory| !directory::is_at(directory, &self.path));
        match &mut self.directory {
            Some(directory) => Ok(directory),
            none => Ok(none.insert(made(&self.path)?)),
        }
    }
}

/// Where run directories lie: a place with room, and with a short path for unix sockets below it.
pub(super) fn base() -> PathBuf {
    const LONGEST: usize = 40;
    room::temporary(LONGEST)
}

/// Makes one at that path, with a registry in it, and locks it.
pub(super) fn made(path: &Path) -> io::Result<OwnedFd> {
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        if let Some(directory) = try_make(path)? {
            // Without a registry a janitor can do less, and a test is not to fail for that.
            let _ = register(&directory);
            return Ok(directory);
        }
        if Instant::now() >= deadline {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "another process has locked it"));
        }
        // A janitor looks at it, for a moment.
        std::thread::yield_now();
    }
}

/// `None` where a janitor has it or has removed it.
fn try_make(path: &Path) -> io::Result<Option<OwnedFd>> {
    match DirBuilder::new().mode(PASSAGE).create(path) {
        // Whatever mask the test has.
        Ok(()) => match fs::set_permissions(path, Permissions::from_mode(PASSAGE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            result => result?,
        },
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    let directory = match directory::open_at(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        directory => directory?,
    };
    if !directory::is_private(&directory) {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "it is somebody else's"));
    }
    // Where the filesystem has no locks no janitor ever touches it.
    let is_locked = directory::try_lock(&directory).unwrap_or(true);
    Ok((is_locked && directory::is_at(&directory, path)).then_some(directory))
}

fn register(directory: &OwnedFd) -> io::Result<()> {
    if directory::look(directory, registry::FILE).is_ok() {
        return Ok(());
    }
    let registry = Registry::of_test(&config().directory);
    directory::open_file(directory.as_fd(), registry::FILE, How::Replace)?.write_all(&registry.to_bytes())
}
