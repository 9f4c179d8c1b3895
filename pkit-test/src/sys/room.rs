//! Directories that one can write to, and that are not full.

use std::env;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

/// What private directories of a few sockets and small files need at least.
const LEAST_BYTES: u128 = 256 * 1024;
const LEAST_FILES: u128 = 64;

/// Where everybody may write on most systems.
const PLACES: [&str; 3] = ["/tmp", "/dev/shm", "/var/tmp"];

/// The first directory for temporary files that has room and whose path is no longer than this. Where there is none, it is
/// the one that was to be used: the attempt to do so says why not.
pub(crate) fn temporary(longest: usize) -> PathBuf {
    let runtime = env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let [first, others @ ..] = PLACES.map(PathBuf::from);
    let all = [env::temp_dir(), first].into_iter().chain(runtime).chain(others);
    let fits = |directory: &PathBuf| directory.is_absolute() && directory.as_os_str().len() <= longest;
    first_with_room(all.filter(fits)).unwrap_or_else(env::temp_dir)
}

/// All of them, whether or not there is room, for whoever has set the first one.
pub(crate) fn temporary_places(set: Option<PathBuf>) -> impl Iterator<Item = PathBuf> {
    let others = PLACES.map(PathBuf::from).into_iter();
    let others: Vec<PathBuf> = others.filter(|place| Some(place) != set.as_ref()).collect();
    set.into_iter().chain(others)
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
