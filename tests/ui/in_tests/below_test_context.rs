//! `#[test_context]` calls the test with the context alone.

use pkit_test::{Process, simple, with_processes};
use test_context::{TestContext, test_context};

struct Context;

impl TestContext for Context {
    fn setup() -> Context {
        Context
    }
}

/// Nobody would fill in the process.
#[test_context(Context)]
#[with_processes(db = simple("a"))]
#[test]
fn below_test_context(_context: &mut Context, db: Process) {
    drop(db);
}
