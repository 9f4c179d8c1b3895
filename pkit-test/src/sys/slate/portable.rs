//! What every Unix has: a file that is removed as soon as it is open.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::sys::room;

/// How many names are tried: others may have the first ones, from a process of the same id that has died in between.
const TRIES: u32 = 64;

pub(super) fn file_without_name() -> io::Result<OwnedFd> {
    let directory = room::temporary(usize::MAX);
    let tried = (0..TRIES).map(|_| create(&directory));
    let is_decided =
        |created: &io::Result<File>| !matches!(created, Err(error) if error.kind() == io::ErrorKind::AlreadyExists);
    let exists = || Err(io::ErrorKind::AlreadyExists.into());
    Ok({ tried }.find(is_decided).unwrap_or_else(exists)?.into())
}

fn create(directory: &Path) -> io::Result<File> {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!(".pkit-slate-{}-{count}", std::process::id()));
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
