//! Directories that one can write to, and that are not full.

use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;
use nix::unistd::{AccessFlags, access};

/// What private directories of a few sockets and small files need at least.
const LEAST_BYTES: u128 = 256 * 1024;
const LEAST_FILES: u128 = 64;

/// The first of these directories with room for something of ours.
pub(crate) fn first_with_room(candidates: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    candidates.into_iter().find(|directory| has_room(directory))
}

/// Not for a system that is mounted read-only, nor for one that is full.
fn has_room(directory: &Path) -> bool {
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
        let own = std::env::temp_dir();
        let candidates = ["/nowhere", "/proc/self/fdinfo"].map(PathBuf::from).into_iter().chain([own.clone()]);
        assert_eq!(first_with_room(candidates), Some(own));
        assert_eq!(first_with_room(["/nowhere".into()]), None);
    }
}
