//! Our error stands alone: the parameter is gone before `#[test]` could refuse it too.

use pkit_test::{Process, simple, with_processes};

#[with_processes(cache = simple("a"))]
#[test]
fn misspelt(chache: Process) {
    drop(chache);
}
