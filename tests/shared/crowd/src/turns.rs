//! Who has what for himself alone, by locks that the kernel takes back before it closes anything else of a process that dies.
//!
//! That order matters: a lease is a connection, so the next one may have the same slot as soon as the connection is closed, and
//! must not find it locked by somebody who is dead. Locks of this kind know processes only; threads have a set beside it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

use crate::ledger;

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
    take(ledger::beside(&format!("slot-{slot}")), true)
}

/// A server that nobody else may use.
pub(crate) fn alone(server: &str) -> Turn {
    take(ledger::beside(&format!("users-of-{server}")), true)
}

/// A server that nobody may have for himself.
pub(crate) fn together(server: &str) -> Turn {
    take(ledger::beside(&format!("users-of-{server}")), false)
}

fn take(path: PathBuf, is_alone: bool) -> Turn {
    let mut held = HELD.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let others = held.get(&path).copied();
    let is_free = if is_alone { others.is_none() } else { others != Some(0) };
    assert!(is_free, "{}: another thread has it", path.display());
    let file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(&path);
    let file = file.expect("it lies beside the ledger");
    lock(&path, &file, is_alone);
    held.insert(path.clone(), if is_alone { 0 } else { others.unwrap_or(0) + 1 });
    Turn { path, _file: file }
}

fn lock(path: &Path, file: &File, is_alone: bool) {
    let kind = if is_alone { libc::F_WRLCK } else { libc::F_RDLCK };
    let whole = libc::flock {
        l_type: libc::c_short::try_from(kind).expect("it is small"),
        l_whence: 0, // From the beginning, and 0 bytes: to the end.
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    };
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
