use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
fn both(db: Process, _db: &Process) {}

fn main() {
    both();
}
