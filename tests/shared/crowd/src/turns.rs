//! Who has what for himself alone, by locks that the kernel takes back before it closes anything else of a process that dies.
//!
//! That order matters: a lease is a connection, so the next one may have the same slot as soon as the connection is closed, and
//! must not find it locked by somebody who is dead. Locks of this kind know processes only; threads have a set beside it.
//!
//! What a test has beside it may outlive one that is killed, until its guardian has ended that. So whoever locks a slot writes down
//! for which test, and what is locked for a dead one is waited for.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process;
use std::sync::Mutex;
use std::time::Duration;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;
use pkit_test_tests::nested::until;

use crate::ledger;

/// Only catches a hang.
const PATIENCE: Duration = Duration::from_secs(30);

/// What this process holds: how many share it, or none for one that is alone.
static HELD: Mutex<BTreeMap<PathBuf, u32>> = Mutex::new(BTreeMap::new());

/// Released by dropping it.
#[derive(Debug)]
pub struct Turn {
    path: PathBuf,
    _file: File,
}

/// The slot, which nobody else may have.
///
/// # Panics
///
/// When somebody has it.
#[must_use]
pub fn hold_slot(slot: u32) -> Turn {
    hold_slot_of(slot, process::id())
}

/// The same for what a test has beside it.
///
/// # Panics
///
/// When somebody has it.
#[must_use]
pub fn hold_slot_of(slot: u32, test: u32) -> Turn {
    take(ledger::beside(&format!("slot-{slot}")), Use::Slot { test })
}

/// A server that nobody else may use.
pub(crate) fn alone(server: &str) -> Turn {
    take(ledger::beside(&format!("users-of-{server}")), Use::Alone)
}

/// A server that nobody may have for himself.
pub(crate) fn together(server: &str) -> Turn {
    take(ledger::beside(&format!("users-of-{server}")), Use::Together)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Slot { test: u32 },
    Alone,
    Together,
}

fn take(path: PathBuf, how: Use) -> Turn {
    let is_alone = how != Use::Together;
    let mut held = HELD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let others = held.get(&path).copied();
    let is_free = if is_alone { others.is_none() } else { others != Some(0) };
    assert!(is_free, "{}: another thread has it", path.display());
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let file = file.expect("it lies beside the ledger");
    match how {
        Use::Slot { test } => lock_slot(&path, &file, test),
        Use::Alone | Use::Together => lock(&path, &file, is_alone),
    }
    held.insert(path.clone(), if is_alone { 0 } else { others.unwrap_or(0) + 1 });
    Turn { path, _file: file }
}

/// Of one that is dying the memory goes first, and then its connections.
fn lock_slot(path: &Path, file: &File, test: u32) {
    let is_left = || {
        let mut words = [0; 16];
        let written =
            file.read_at(&mut words, 0).map(|count| String::from_utf8_lossy(&words[..count]).trim().to_owned());
        written.is_ok_and(|test| fs::read_link(format!("/proc/{test}/exe")).is_err())
    };
    let whole = whole(true);
    // The last look is the one that counts.
    let _ = until(PATIENCE, || (fcntl(file, FcntlArg::F_SETLK(&whole)).is_ok() || !is_left()).then_some(()));
    lock(path, file, true);
    file.write_at(format!("{test:<15}\n").as_bytes(), 0).expect("it lies beside the ledger");
}

fn whole(is_alone: bool) -> libc::flock {
    let kind = if is_alone { libc::F_WRLCK } else { libc::F_RDLCK };
    libc::flock {
        l_type: libc::c_short::try_from(kind).expect("it is small"),
        l_whence: 0, // From the beginning, and 0 bytes: to the end.
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

fn lock(path: &Path, file: &File, is_alone: bool) {
    let whole = whole(is_alone);
    if let Err(error) = fcntl(file, FcntlArg::F_SETLK(&whole)) {
        let mut other = whole;
        let _ = fcntl(file, FcntlArg::F_GETLK(&mut other)); // For people.
        panic!("{}: process {} has it: {error}", path.display(), other.l_pid);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut held = HELD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match held.get_mut(&self.path) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(held.remove(&self.path)),
        }
    }
}
