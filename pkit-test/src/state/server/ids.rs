//! Tables by numbers that we give out ourselves, one after the other: nobody can choose them so that they meet, and a request
//! looks several of them up.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub(super) type ById<T> = HashMap<u32, T, BuildHasherDefault<Id>>;

/// The number itself, spread over all bits.
#[derive(Debug, Default)]
pub(super) struct Id(u64);

impl Hasher for Id {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u32((*byte).into()));
    }

    fn write_u32(&mut self, id: u32) {
        // The golden ratio, as in Knuth's multiplicative hashing: the table uses the upper bits and the lower ones.
        self.0 = (self.0 ^ u64::from(id)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0.rotate_left(32)
    }
}
