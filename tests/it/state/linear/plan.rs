//! What a client is to do: chance, out of one number.

use pkit_test_tests::seed::Seed;
use serde::{Deserialize, Serialize};

use super::call::{OF_ONE_KEY, OF_TWO_KEYS, Op, Verb};

/// What may happen in a history.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Mix {
    pub(super) keys: usize,
    /// Then the keys hang together, and the whole is checked and not each key.
    pub(super) has_pairs: bool,
    pub(super) has_snapshots: bool,
}

/// What a client is to do.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) ops: usize,
    pub(super) mix: Mix,
}

/// Anything.
pub(super) fn any_op(seed: &mut Seed, mix: Mix) -> Op {
    let verb = match seed.below(24) {
        0 if mix.has_pairs && seed.below(4) == 0 => Verb::Die,
        1 if mix.has_snapshots => Verb::Snapshot,
        0..=11 if mix.has_pairs => seed.one_of(OF_TWO_KEYS),
        _ => seed.one_of(OF_ONE_KEY),
    };
    let key = seed.below(mix.keys as u64) as usize;
    let other = (key + 1 + seed.below(mix.keys as u64 - 1) as usize) % mix.keys;
    // Small ones, so that what is expected may be there, and others, which say by whom they were written.
    let old = seed.one_of(&[None, Some(0), Some(1), Some(2)]);
    let new = if seed.below(2) == 0 { seed.below(3) } else { seed.below(1 << 20) };
    Op { verb, key, other, old, new: new as i64 }
}
