//! Linux: `inotify(7)`. A user may have few of them (128 as a rule), so there may be none to be had.
//!
//! To close one takes 15 ms: the kernel waits until nobody can be looking at its watches any more, on the thread that closes.
//! That would be the lag of every wait, so that one that is done is kept for the next wait; to remove a watch takes no time.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use std::sync::{Mutex, PoisonError};

use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};

/// How often a path is looked for again that is made while it is looked for.
const TRIES: usize = 64;

/// How many are kept. More are only used where many starts wait at one time, and then closed.
const KEPT: usize = 8;

/// Those that nobody uses, with the process that made them: a fork of the test shares them with the test.
static IDLE: Mutex<(u32, Vec<Inotify>)> = Mutex::new((0, Vec::new()));

#[derive(Debug)]
pub(crate) struct Watch {
    /// Until it is dropped.
    inotify: Option<Inotify>,
    directory: Option<WatchDescriptor>,
    file: Option<WatchDescriptor>,
}

impl Watch {
    pub(crate) fn open() -> io::Result<Watch> {
        let inotify = match take_idle() {
            Some(inotify) => inotify,
            None => Inotify::init(InitFlags::IN_CLOEXEC | InitFlags::IN_NONBLOCK)?,
        };
        let mut watch = Watch { inotify: Some(inotify), directory: None, file: None };
        // Of whoever had it before.
        watch.drain();
        Ok(watch)
    }

    fn inotify(&self) -> &Inotify {
        self.inotify.as_ref().expect("it is there until it is dropped")
    }

    /// Watches where the path is, or is to be. To be called before each look: what was above it may be gone by now, and
    /// what was missing may be there.
    pub(crate) fn follow(&mut self, path: &Path) -> io::Result<()> {
        for _ in 0..TRIES {
            let nearest = nearest(path);
            match self.inotify().add_watch(nearest, directory_events()) {
                // It went away between the two.
                Err(Errno::ENOENT | Errno::ENOTDIR) => continue,
                Err(error) => return Err(error.into()),
                Ok(watch) => self.watch_directory(watch),
            }
            // What was made before the watch was there has told nobody.
            if path.parent() == Some(nearest) || self::nearest(path) == nearest {
                return Ok(());
            }
        }
        Err(io::Error::new(io::ErrorKind::Interrupted, "the directories above it change all the time"))
    }

    /// Watches what is there as well: also where the path is a link to it.
    pub(crate) fn follow_file(&mut self, path: &Path) -> io::Result<()> {
        let watch = match self.inotify().add_watch(path, file_events()) {
            Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP) => None,
            watch => Some(watch?),
        };
        self.forget(self.file.filter(|old| Some(*old) != watch));
        self.file = watch;
        Ok(())
    }

    /// Takes all events. Whether the file that is followed was among what they are about.
    pub(crate) fn drain(&mut self) -> bool {
        let mut has_changed = false;
        loop {
            match self.inotify().read_events() {
                Ok(events) => {
                    has_changed |= events.iter().any(|event| Some(event.wd) == self.file && is_change(event.mask));
                }
                Err(Errno::EINTR) => {}
                Err(_) => return has_changed,
            }
        }
    }

    fn watch_directory(&mut self, watch: WatchDescriptor) {
        self.forget(self.directory.filter(|old| *old != watch));
        self.directory = Some(watch);
    }

    fn forget(&self, watch: Option<WatchDescriptor>) {
        // What is gone has no watch any more.
        let _ = watch.map(|watch| self.inotify().rm_watch(watch));
    }
}

impl AsFd for Watch {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inotify().as_fd()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.forget(self.directory);
        self.forget(self.file);
        self.inotify.take().into_iter().for_each(keep);
    }
}

fn take_idle() -> Option<Inotify> {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let (owner, kept) = &mut *idle;
    if *owner != std::process::id() {
        // These are copies: what they are of lives on.
        kept.clear();
        *owner = std::process::id();
    }
    kept.pop()
}

fn keep(inotify: Inotify) {
    let mut idle = IDLE.lock().unwrap_or_else(PoisonError::into_inner);
    let (owner, kept) = &mut *idle;
    if *owner == std::process::id() && kept.len() < KEPT {
        kept.push(inotify);
    }
}

/// The nearest directory above a path.
fn nearest(path: &Path) -> &Path {
    path.ancestors().skip(1).find(|above| above.is_dir()).unwrap_or(Path::new("/"))
}

/// What is written in a directory is none of it: in that of a database there is always somebody who writes.
fn directory_events() -> AddWatchFlags {
    AddWatchFlags::IN_CREATE
        | AddWatchFlags::IN_MOVED_TO
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
        | AddWatchFlags::IN_ONLYDIR
}

/// A file that was opened to be written and then was only read, as who looks for another one of itself does with a pid file,
/// is what it was. What is written by way of memory is no other event than that, and changes the time of the file.
fn is_change(event: AddWatchFlags) -> bool {
    event != AddWatchFlags::IN_CLOSE_WRITE
}

fn file_events() -> AddWatchFlags {
    AddWatchFlags::IN_MODIFY
        | AddWatchFlags::IN_CLOSE_WRITE
        | AddWatchFlags::IN_ATTRIB
        | AddWatchFlags::IN_DELETE_SELF
        | AddWatchFlags::IN_MOVE_SELF
}
