//! Names that are held by a lock on a file: the next best where there are none in the abstract namespace.
//!
//! A lock of `flock` belongs to the open file, so it goes to another process with the descriptor and is gone with the last
//! copy of it. The files stay, and are empty: a file that is removed while somebody waits for its lock would be two.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::libc;

/// The same for all users, whatever their own directory for temporary files is.
const DIRECTORY: &str = "/tmp/pkit-test-names";

/// Everybody may make files in it, and nobody may remove those of others.
const SHARED: u32 = 0o1777;

/// Holds a name for as long as the descriptor, or a copy of it in whatever process, is open. The error is `AddrInUse` if
/// somebody has the name.
pub(super) fn hold(name: &str) -> io::Result<OwnedFd> {
    let file = open(&directory()?.join(name))?;
    // SAFETY: flock takes a descriptor and a number.
    let result = unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) };
    match io::Error::last_os_error() {
        _ if result == 0 => Ok(file.into()),
        error if error.kind() == io::ErrorKind::WouldBlock => Err(io::ErrorKind::AddrInUse.into()),
        error => Err(error),
    }
}

fn directory() -> io::Result<PathBuf> {
    let directory = PathBuf::from(DIRECTORY);
    match fs::create_dir(&directory) {
        Ok(()) => fs::set_permissions(&directory, Permissions::from_mode(SHARED))?,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
        Err(error) => return Err(error),
    }
    Ok(directory)
}

/// A file that is there is opened without `O_CREAT`, which some systems refuse for the file of another user.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).custom_flags(libc::O_NOFOLLOW);
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    let made = OpenOptions::new().read(true).write(true).create_new(true).mode(0o644).open(path);
    match made {
        // Somebody else was quicker.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => options.open(path),
        made => made,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_held_by_one_until_the_last_copy_is_closed() {
        let name = format!("test-{}", std::process::id());
        let first = hold(&name).unwrap();
        assert_eq!(hold(&name).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        let copy = first.try_clone().unwrap();
        drop(first);
        assert_eq!(hold(&name).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        drop(copy);
        // What another test of this binary has just forked has copies too, until it executes something.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
        while hold(&name).is_err() {
            assert!(std::time::Instant::now() < deadline, "the last copy is closed");
            std::thread::yield_now();
        }
        fs::remove_file(Path::new(DIRECTORY).join(name)).unwrap();
    }
}
