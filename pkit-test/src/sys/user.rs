//! Users of the system, for `user("postgres")`.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{self, Gid, Uid};

/// Somebody to run a process as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) groups: Vec<u32>,
    pub(crate) home: PathBuf,
}

/// The user of that name, or `None` if the system knows none.
pub(crate) fn find(name: &str) -> io::Result<Option<User>> {
    let Some(entry) = unistd::User::from_name(name)? else { return Ok(None) };
    Ok(Some(User {
        name: entry.name.clone(),
        uid: entry.uid.as_raw(),
        gid: entry.gid.as_raw(),
        groups: groups_of(&entry)?,
        home: entry.dir,
    }))
}

/// What a user is called, for people.
pub(crate) fn name_of(uid: u32) -> String {
    let entry = unistd::User::from_uid(Uid::from_raw(uid)).ok().flatten();
    entry.map_or_else(|| uid.to_string(), |entry| entry.name)
}

#[cfg(not(target_vendor = "apple"))]
fn groups_of(entry: &unistd::User) -> io::Result<Vec<u32>> {
    let name = std::ffi::CString::new(entry.name.as_str())?;
    Ok(unistd::getgrouplist(&name, entry.gid)?.into_iter().map(Gid::as_raw).collect())
}

#[cfg(target_vendor = "apple")]
fn groups_of(entry: &unistd::User) -> io::Result<Vec<u32>> {
    Ok(vec![entry.gid.as_raw()])
}

/// Whether the calling process may become another user.
pub(crate) fn may_change_user() -> bool {
    unistd::geteuid().is_root()
}

/// The effective user of the calling process.
pub(crate) fn own_uid() -> u32 {
    unistd::geteuid().as_raw()
}

/// Makes a directory somebody's.
pub(crate) fn give(path: &Path, user: &User) -> io::Result<()> {
    Ok(unistd::chown(path, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))?)
}
