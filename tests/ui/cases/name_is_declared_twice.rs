use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"), api = simple("b"), db = simple("c"))]
fn twice(db: Process) {}

fn main() {
    twice();
}
