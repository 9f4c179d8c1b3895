//! Also where `#[tokio::test]` and `#[serial]` stand below, which fill nothing.

use pkit_test::{Process, simple, with_processes};
use serial_test::serial;

#[with_processes(cache = simple("a"))]
#[serial]
#[tokio::test]
async fn misspelt(chache: Process) {
    drop(chache);
}
