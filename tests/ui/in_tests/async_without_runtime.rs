//! The compiler says it well.

use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
#[test]
async fn no_runtime(db: Process) {
    drop(db);
}
