//! `#[tokio::main]` refuses parameters as `#[test]` does.

use pkit_test::{Process, simple, with_processes};

#[test]
fn calls_main() {
    main();
}

/// It is refused by tokio, and we say why.
#[tokio::main]
#[with_processes(db = simple("a"))]
async fn main(db: Process) {
    drop(db);
}
