//! What a guardian has written down of its processes, perhaps cut off, perhaps by somebody else.

use crate::guardian::rewritten;

/// What was understood of it is written and read again as the same, and names no process that is everybody's.
pub(super) fn registry(bytes: &[u8]) {
    let Some((once, pids)) = rewritten(bytes) else { return };
    assert_eq!(rewritten(&once).map(|(twice, _)| twice), Some(once));
    assert!(pids.iter().all(|pid| *pid > 1), "{pids:?}");
}
