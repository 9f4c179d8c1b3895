//! Directories by descriptor: locked, proven to be ours, emptied without ever leaving them.
//!
//! The temporary directory is everybody's: what a path means there can change between two looks. So a directory is opened
//! once, never through a link, and from then on only the descriptor counts. The lock is that of `flock(2)`, on the directory
//! itself: it goes with the last descriptor of its opening, whatever way the process ends, and there is no moment at which the
//! directory is there and a file to be locked in it is not.

use std::ffi::{CStr, CString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{AtFlags, OFlag, openat, renameat};
use nix::libc;
use nix::sys::stat::{FchmodatFlags, Mode, SFlag, fchmodat, fstat, fstatat, lstat};
use nix::unistd::{UnlinkatFlags, unlinkat};

use super::child::c_path;
use super::user::own_uid;

/// How many names are read before something is done about them.
const BATCH: usize = 1024;

/// How many names are tried for a directory on its way up.
const NAMES: u32 = 1000;

/// How long one may take that its owner was forbidden to write to. What is left then is for the janitor.
const REMOVE_LIMIT: Duration = Duration::from_secs(10);

const OPEN: OFlag = OFlag::O_DIRECTORY.union(OFlag::O_NOFOLLOW).union(OFlag::O_NONBLOCK).union(OFlag::O_CLOEXEC);

/// What clearing may cost at most: nobody knows beforehand what lies in a directory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Budget {
    pub(crate) deadline: Instant,
    pub(crate) entries: usize,
}

impl Budget {
    /// Takes one entry of it.
    pub(crate) fn spend(&mut self) -> io::Result<()> {
        self.entries = self.entries.checked_sub(1).ok_or(io::ErrorKind::TimedOut)?;
        if Instant::now() >= self.deadline { Err(io::ErrorKind::TimedOut.into()) } else { Ok(()) }
    }
}

/// Opens a directory by its path, which may lead through links.
pub(crate) fn open(path: &Path) -> io::Result<OwnedFd> {
    Ok(nix::fcntl::open(path, OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?)
}

/// Opens a directory by a path whose last part is no link.
pub(crate) fn open_at(path: &Path) -> io::Result<OwnedFd> {
    Ok(nix::fcntl::open(path, OPEN, Mode::empty())?)
}

/// Opens a directory in another one. A link is an error.
pub(crate) fn open_in(parent: impl AsFd, name: &CStr) -> io::Result<OwnedFd> {
    Ok(openat(parent, name, OPEN, Mode::empty())?)
}

/// Opens a plain file in a directory, for reading, or for adding to its end.
pub(crate) fn open_file(parent: impl AsFd, name: &CStr, how: How) -> io::Result<File> {
    let flags = match how {
        How::Read => OFlag::O_RDONLY,
        How::Append => OFlag::O_WRONLY | OFlag::O_APPEND,
        How::Replace => OFlag::O_WRONLY | OFlag::O_APPEND | OFlag::O_CREAT | OFlag::O_TRUNC,
    };
    let flags = flags | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let file = File::from(openat(parent, name, flags, Mode::S_IRUSR | Mode::S_IWUSR)?);
    // A pipe or a device has other rules, and nobody but us is to have made it.
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::ErrorKind::InvalidInput.into()) }
}

/// What a file is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum How {
    Read,
    Append,
    Replace,
}

/// Gives a file another name in the same directory, in place of what has that name.
pub(crate) fn rename_in(parent: impl AsFd, from: &CStr, to: &CStr) -> io::Result<()> {
    Ok(renameat(parent.as_fd(), from, parent.as_fd(), to)?)
}

/// Takes the lock of an open directory if nobody has it. An error where the filesystem has no such locks.
pub(crate) fn try_lock(directory: &OwnedFd) -> io::Result<bool> {
    // SAFETY: flock takes two integers, and the descriptor is open.
    let result = unsafe { libc::flock(directory.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    match result {
        0 => Ok(true),
        _ => match io::Error::last_os_error() {
            error if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            error => Err(error),
        },
    }
}

/// Whether a directory is our user's, and nobody else may write to it.
pub(crate) fn is_private(directory: &OwnedFd) -> bool {
    let others = (Mode::S_IWGRP | Mode::S_IWOTH).bits();
    fstat(directory).is_ok_and(|stat| stat.st_uid == own_uid() && stat.st_mode & others == 0)
}

/// Whether that path means this directory, now, and not through a link.
pub(crate) fn is_at(directory: &OwnedFd, path: &Path) -> bool {
    let there = lstat(path).map(|there| (there.st_dev, there.st_ino));
    there.is_ok() && there == fstat(directory).map(|open| (open.st_dev, open.st_ino))
}

/// Whether that name in another directory means this one.
pub(crate) fn is_in(directory: &OwnedFd, parent: impl AsFd, name: &CStr) -> bool {
    let there = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW).map(|there| (there.st_dev, there.st_ino));
    there.is_ok() && there == fstat(directory).map(|open| (open.st_dev, open.st_ino))
}

/// The names in a directory, at most so many, in no order.
pub(crate) fn names(directory: impl AsFd, most: usize) -> io::Result<Vec<CString>> {
    let mut entries = Dir::openat(directory, c".", OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())?;
    let names = entries.iter().flatten().map(|entry| entry.file_name().to_owned());
    Ok(names.filter(|name| ![c".", c".."].contains(&name.as_c_str())).take(most).collect())
}

/// What is known of a name in a directory, without following it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry {
    pub(crate) is_own: bool,
    pub(crate) is_file: bool,
    /// In seconds since 1970.
    pub(crate) modified: i64,
}

/// Looks at a name in a directory.
pub(crate) fn look(parent: impl AsFd, name: &CStr) -> io::Result<Entry> {
    let stat = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let kind = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT;
    Ok(Entry { is_own: stat.st_uid == own_uid(), is_file: kind == SFlag::S_IFREG, modified: stat.st_mtime as i64 })
}

/// Removes a name that is no directory.
pub(crate) fn remove_file(parent: impl AsFd, name: &CStr) -> io::Result<()> {
    Ok(unlinkat(parent, name, UnlinkatFlags::NoRemoveDir)?)
}

/// Removes a directory that is empty.
pub(crate) fn remove_empty(parent: impl AsFd, name: &CStr) -> io::Result<()> {
    Ok(unlinkat(parent, name, UnlinkatFlags::RemoveDir)?)
}

/// Removes a directory of ours and all that is in it, also where its owner was forbidden to write.
pub(crate) fn remove_all(path: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => remove_forbidden(path),
        result => result,
    }
}

fn remove_forbidden(path: &Path) -> io::Result<()> {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return Err(Errno::EINVAL.into()) };
    let (parent, name) = (open(parent)?, c_path(Path::new(name))?);
    let mut budget = Budget { deadline: Instant::now() + REMOVE_LIMIT, entries: usize::MAX };
    empty(&open_any(&parent, &name)?, c"", &mut budget)?;
    remove_empty(&parent, &name)
}

/// Removes everything in a directory but one name, and never anything outside: links are removed, not followed.
///
/// A tree may be deeper than a path can say and than descriptors can be open. So no path is built and nothing is descended
/// into: the directories of a directory are moved up to the top, until there are none. What something is mounted on cannot be
/// moved, and so is not looked into.
pub(crate) fn empty(top: &OwnedFd, kept: &CStr, budget: &mut Budget) -> io::Result<()> {
    loop {
        let all: Vec<CString> = names(top, BATCH)?.into_iter().filter(|name| name.as_c_str() != kept).collect();
        if all.is_empty() {
            return Ok(());
        }
        let (mut failed, mut any) = (None, false);
        for name in &all {
            budget.spend()?;
            match remove(top, name, budget) {
                Ok(()) => any = true,
                Err(error) => failed = Some(error),
            }
        }
        // What one pass has moved up is removed in the next.
        if let Some(error) = failed.filter(|_| !any) {
            return Err(error);
        }
    }
}

/// Removes a name in the top directory; a directory that is not empty loses at least some of what is in it.
fn remove(top: &OwnedFd, name: &CStr, budget: &mut Budget) -> io::Result<()> {
    match take(top.as_fd(), name) {
        Err(Errno::ENOTEMPTY | Errno::EEXIST) => {}
        Err(Errno::ENOENT) => return Ok(()),
        result => return Ok(result?),
    }
    // It is moved before anything in it is touched: what is mounted there stays what it is.
    let own = move_up(top.as_fd(), name, top.as_fd())?;
    let directory = open_any(top, &own)?;
    let mut any = false;
    for inner in names(&directory, BATCH)? {
        budget.spend()?;
        any |= match take(directory.as_fd(), &inner) {
            Err(Errno::ENOTEMPTY | Errno::EEXIST) => move_up(directory.as_fd(), &inner, top.as_fd()).is_ok(),
            result => result.is_ok(),
        };
    }
    match take(top.as_fd(), &own) {
        // There was more than a batch: the rest has its turn.
        Err(Errno::ENOTEMPTY | Errno::EEXIST) if any => Ok(()),
        result => Ok(result?),
    }
}

/// Removes a file, a link or an empty directory.
fn take(parent: BorrowedFd<'_>, name: &CStr) -> nix::Result<()> {
    match unlinkat(parent, name, UnlinkatFlags::NoRemoveDir) {
        // Linux says the one of a directory, POSIX the other.
        Err(Errno::EISDIR | Errno::EPERM) => unlinkat(parent, name, UnlinkatFlags::RemoveDir),
        result => result,
    }
}

/// Moves a directory to the top, under a name that is free there.
fn move_up(from: BorrowedFd<'_>, name: &CStr, top: BorrowedFd<'_>) -> io::Result<CString> {
    let (mut last, mut is_open) = (Errno::EEXIST, false);
    for number in 0..NAMES {
        let free = CString::new(format!(".pkit-{number}")).expect("digits have no zero byte");
        match renameat(from, name, top, free.as_c_str()) {
            Ok(()) => return Ok(free),
            Err(error @ (Errno::ENOTEMPTY | Errno::EEXIST | Errno::ENOTDIR)) => last = error,
            // To move a directory is to write to it. Names that are taken are refused before that is found out.
            Err(Errno::EACCES) if !is_open => {
                open_up(from, name)?;
                is_open = true;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(last.into())
}

/// Opens a directory of ours, also one that its owner was forbidden to read.
fn open_any(top: &OwnedFd, name: &CStr) -> io::Result<OwnedFd> {
    open_up(top.as_fd(), name)?;
    open_in(top, name)
}

/// Lets its owner do everything with a directory. Nobody else can put a link in its place: where it lies we alone may write.
fn open_up(parent: BorrowedFd<'_>, name: &CStr) -> io::Result<()> {
    let stat = fstatat(parent, name, AtFlags::AT_SYMLINK_NOFOLLOW)?;
    let is_directory = SFlag::from_bits_truncate(stat.st_mode) & SFlag::S_IFMT == SFlag::S_IFDIR;
    if is_directory && stat.st_uid == own_uid() && stat.st_mode & Mode::S_IRWXU.bits() != Mode::S_IRWXU.bits() {
        fchmodat(parent, name, Mode::S_IRWXU, FchmodatFlags::FollowSymlink)?;
    }
    Ok(())
}

/// A name as the kernel takes it.
pub(crate) fn c_name(name: &str) -> CString {
    c_path(Path::new(name)).unwrap_or_default()
}

#[cfg(test)]
mod tests;
