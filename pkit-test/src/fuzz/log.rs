//! Logs whose files hold anything: what a full disk, a crash or somebody else left of them.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use super::input::Input;
use crate::output::LogFiles;
use crate::output::follow::{Follower, end_of};
use crate::output::tail::{last_words, tail};

/// Whoever reads such a log comes to an end, and finds no more than there is.
pub(super) fn log(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let (offset, with_old) = (u64::from(input.byte()), input.byte());
    let directory = Directory::new();
    let base = directory.0.join("log");
    let files = LogFiles::at(&base);
    let mut length = 0;
    for (index, path) in [files.index(), files.data(), files.old_index(), files.old_data()].into_iter().enumerate() {
        let size = usize::from(input.byte()) * 2;
        let content = input.bytes(size);
        length += content.len();
        if index < 2 || with_old & 1 == 1 {
            fs::write(path, content).expect("a file of a log");
        }
    }
    let mut found = 0;
    let _ = Follower::new(&base, offset).each_until(end_of(&base), |piece| found += piece.bytes.len());
    assert!(found <= 2 * length, "{found} bytes were read of {length}");
    assert!(tail(&base, 3, 100).map_or(0, |tail| tail.lines.len()) <= 3);
    assert!(last_words(&base, 0, 3, 100).map_or(0, |(_, tail)| tail.lines.len()) <= 3);
}

/// A directory for one log, where files cost little.
struct Directory(PathBuf);

impl Directory {
    fn new() -> Directory {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let shared_memory = PathBuf::from("/dev/shm");
        let base = if shared_memory.is_dir() { shared_memory } else { std::env::temp_dir() };
        let name = format!("pkit-fuzz-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        fs::create_dir(base.join(&name)).expect("a directory");
        Directory(base.join(name))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0); // What is left of it is litter, and the finding is elsewhere.
    }
}
