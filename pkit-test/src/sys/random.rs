//! Numbers that nobody can guess, and that no two processes have.
//!
//! Not from the keys of the standard library's hash maps: a fork has those of its parent.

use std::fs::File;
use std::hash::{BuildHasher as _, Hasher as _};
use std::io::Read as _;
use std::time::SystemTime;

use super::child::own_pid;

/// Another one at each call.
pub(crate) fn random() -> u64 {
    let mut bytes = [0; 8];
    let read = File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes));
    if read.is_ok() { u64::from_ne_bytes(bytes) } else { next_best() }
}

/// Where there is no such device: unlike that of a fork, and hard to guess.
fn next_best() -> u64 {
    let mut hasher = std::collections::hash_map::RandomState::new().build_hasher();
    hasher.write_i32(own_pid());
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    hasher.write_u128(since.unwrap_or_default().as_nanos());
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_equal() {
        assert_ne!(random(), random());
        assert_ne!(next_best(), next_best());
    }
}
