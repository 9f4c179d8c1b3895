//! Directories that one can write to, and that are not full.

use std::env;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

/// What private directories of a few sockets and small files need at least.
const LEAST_BYTES: u128 = 256 * 1024;
const LEAST_FILES: u128 = 64;

/// The first directory for temporary files that has room and whose path is no longer than this. Where there is none, it is
/// the one that was to be used: the attempt to do so says why not.
pub(crate) fn temporary(longest: usize) -> PathBuf {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let first = [env::temp_dir(), PathBuf::from("/tmp")];
    let others = runtime.into_iter().chain(["/dev/shm", "/var/tmp"].map(PathBuf::from));
    let fits = |directory: &PathBuf| directory.is_absolute() && directory.as_os_str().len() <= longest;
    first_with_room(first.into_iter().chain(others).filter(fits)).unwrap_or_else(env::temp_dir)
}

fn first_with_room(candidates: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    candidates.into_iter().find(|directory| has_room(directory))
}

/// Whether something can be written there: not on a system that is mounted read-only, nor on one that is full.
pub(crate) fn has_room(directory: &Path) -> bool {
    if access(directory, AccessFlags::W_OK | AccessFlags::X_OK).is_err() {
        return false;
    }
    let Ok(system) = statvfs(directory) else { return true };
    // The types differ between systems, and this one holds them all.
    let [blocks, files] = [system.blocks_available(), system.files_available()].map(u128::from);
    let bytes = blocks * u128::from(system.fragment_size());
    // Some systems do not count files.
    bytes >= LEAST_BYTES && (system.files() == 0 || files >= LEAST_FILES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_that_cannot_be_written_to_is_passed_over() {
        let own = env::temp_dir();
        let candidates = ["/nowhere", "/proc/self/fdinfo"].map(PathBuf::from).into_iter().chain([own.clone()]);
        assert_eq!(first_with_room(candidates), Some(own));
        assert_eq!(first_with_room(["/nowhere".into()]), None);
    }
}
