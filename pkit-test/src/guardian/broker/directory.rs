//! Where the broker of a run is found: a private directory with its socket and two locks.
//!
//! ```text
//! pkit-run-1000           of the user alone
//! └─ 0123456789abcdef     of one run
//!    ├─ start.lock        held by whoever starts a broker or removes the directory
//!    ├─ alive.lock        held by the broker and its guardians, from before it is there until nothing is left
//!    └─ sock              the broker listens
//! ```
//!
//! Nothing in it has to be true: what counts is who listens and who holds a lock, which the kernel knows. So a directory whose
//! locks are free is nobody's, and whoever starts a broker removes those of others. One that has just been made is such, too: who has
//! made it takes the first lock and then looks whether all of it is still at its path.

use std::ffi::{CStr, OsStr};
use std::fs::{DirBuilder, Metadata, Permissions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::limits::{JANITOR_NAMES, RUN_DIRECTORY_TRIES};
use crate::sys::lock::Lock;
use crate::sys::{directory, user};

const START_LOCK: &CStr = c"start.lock";
const ALIVE_LOCK: &CStr = c"alive.lock";
const SOCKET: &str = "sock";

/// What its owner may do, and nobody else.
const OWNERS: u32 = 0o700;

/// How many hexadecimal digits the name of a run has.
const NAME_DIGITS: usize = 16;

/// How much longer than the place that it is in the path of a socket is, at most.
pub(crate) const PATH_BYTES: usize = "/pkit-run-4294967295/".len() + NAME_DIGITS + "/sock".len();

/// The directory of one run.
#[derive(Debug)]
pub(crate) struct RunDirectory {
    path: PathBuf,
    directory: OwnedFd,
}

/// The directory of all runs of this user in such a place.
pub(crate) fn base(place: &Path) -> PathBuf {
    place.join(format!("pkit-run-{}", user::own_uid()))
}

/// The name of a run whose key is this.
///
/// Not by a hash of the standard library, which may be another one in the next version of that: it has to be the same in all binaries.
pub(crate) fn name(key: &str) -> String {
    // FNV-1a.
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    format!("{:0NAME_DIGITS$x}", key.bytes().fold(0xcbf2_9ce4_8422_2325, mix))
}

/// Where the broker of a run listens.
pub(crate) fn socket(base: &Path, name: &str) -> PathBuf {
    base.join(name).join(SOCKET)
}

/// Why a directory at that path is none of ours, if there is one and it is not: nobody else can have put anything into ours.
pub(crate) fn objection(path: &Path) -> Option<&'static str> {
    objection_to(&path.symlink_metadata().ok()?)
}

fn objection_to(found: &Metadata) -> Option<&'static str> {
    const OTHERS_WRITE: u32 = 0o022;
    match () {
        () if found.is_symlink() => Some("it is a link, which may lead anywhere"),
        () if !found.is_dir() => Some("it is no directory"),
        () if found.uid() != user::own_uid() => Some("it is another user's"),
        () if found.mode() & OTHERS_WRITE != 0 => Some("others may write to it"),
        () => None,
    }
}

impl RunDirectory {
    /// Makes it, if it is not there, and takes the lock under which a broker is started; `None` at the deadline.
    pub(crate) fn lock(base: &Path, name: &str, deadline: Instant) -> io::Result<Option<(RunDirectory, Lock)>> {
        for _ in 0..RUN_DIRECTORY_TRIES {
            let Some(made) = RunDirectory::make(base, name)? else { continue };
            match Lock::take_until(&made.directory, START_LOCK, deadline) {
                Ok(Some(lock)) if made.is_under(&lock) => return Ok(Some((made, lock))),
                Ok(None) => return Ok(None),
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                // Somebody has removed it.
                _ => {}
            }
        }
        Err(io::Error::other("it is removed again and again"))
    }

    /// `None` where somebody removes it meanwhile.
    fn make(base: &Path, name: &str) -> io::Result<Option<RunDirectory>> {
        let path = base.join(name);
        if !made(base)? || !made(&path)? {
            return Ok(None);
        }
        match directory::open_at(&path) {
            Ok(directory) => Ok(Some(RunDirectory { path, directory })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// That of the broker whose socket this is.
    pub(crate) fn of_listener(listener: &UnixListener) -> io::Result<RunDirectory> {
        let address = listener.local_addr()?;
        let path = address.as_pathname().and_then(Path::parent).ok_or(io::ErrorKind::InvalidInput)?.to_owned();
        Ok(RunDirectory { directory: directory::open_at(&path)?, path })
    }

    /// Takes the lock of a broker; `None` where there is one until the deadline.
    pub(crate) fn wait_for_end(&self, deadline: Instant) -> io::Result<Option<Lock>> {
        Lock::take_until(&self.directory, ALIVE_LOCK, deadline)
    }

    /// Begins to listen for a broker, in place of one that is gone.
    pub(crate) fn listen(&self) -> io::Result<UnixListener> {
        match directory::remove_file(&self.directory, c"sock") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let path = self.path.join(SOCKET);
        let listener = UnixListener::bind(&path)?;
        allow(&path)?;
        Ok(listener)
    }

    /// The last deed of a broker, which listens no more: removes the directory, and lets go of the lock that it has held for as long
    /// as it was there. Where another one is about to be started there, that one has it.
    pub(crate) fn remove(self, alive: OwnedFd) {
        let alive = Lock::of(alive);
        if let Ok(Some(start)) = Lock::try_take(&self.directory, START_LOCK) {
            self.clear(&start, &alive);
        }
    }

    /// Whether a lock that was taken is that of the directory which is there now: while it was waited for both may have been removed,
    /// and others made in their place.
    fn is_under(&self, start: &Lock) -> bool {
        directory::is_at(&self.directory, &self.path) && start.is_in(&self.directory, START_LOCK)
    }

    /// Under both locks. What is left is for whoever starts the next broker.
    fn clear(&self, start: &Lock, _alive: &Lock) {
        if !self.is_under(start) {
            return;
        }
        for name in [c"sock", ALIVE_LOCK, START_LOCK] {
            let _ = directory::remove_file(&self.directory, name);
        }
        let _ = std::fs::remove_dir(&self.path);
        // Only where it was the last run.
        let _ = self.path.parent().map(std::fs::remove_dir);
    }

    /// Removes those of other runs that have neither a broker nor anybody who starts one.
    pub(crate) fn remove_others(&self) {
        let (Some(base), Some(own)) = (self.path.parent(), self.path.file_name()) else { return };
        let names = directory::open_at(base).and_then(|base| directory::names(base, JANITOR_NAMES)).unwrap_or_default();
        let others = names.iter().map(|name| OsStr::from_bytes(name.to_bytes()));
        for other in others.filter(|other| *other != own && is_name(other)) {
            // One that cannot be removed is in nobody's way.
            let _ = remove_if_free(base.join(other));
        }
    }
}

fn remove_if_free(path: PathBuf) -> io::Result<()> {
    let directory = RunDirectory { directory: directory::open_at(&path)?, path };
    let take = |name| Lock::try_take(&directory.directory, name);
    if let (Some(start), Some(alive)) = (take(START_LOCK)?, take(ALIVE_LOCK)?) {
        directory.clear(&start, &alive);
    }
    Ok(())
}

fn is_name(name: &OsStr) -> bool {
    name.len() == NAME_DIGITS && name.as_bytes().iter().all(u8::is_ascii_hexdigit)
}

/// Makes a directory for this user alone, if it is not there; `false` where the one that it is to be in is not.
fn made(path: &Path) -> io::Result<bool> {
    match DirBuilder::new().mode(OWNERS).create(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let allowed = path.symlink_metadata().and_then(|found| match objection_to(&found) {
        Some(why) => Err(io::Error::new(io::ErrorKind::AlreadyExists, why)),
        None if found.mode() & OWNERS != OWNERS => allow(path),
        None => Ok(()),
    });
    match allowed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        allowed => allowed.map(|()| true),
    }
}

/// Where the test that makes it has a mask that leaves its owner out, all others of the run would be left out as well.
fn allow(path: &Path) -> io::Result<()> {
    std::fs::set_permissions(path, Permissions::from_mode(OWNERS))
}

#[cfg(test)]
mod tests;
