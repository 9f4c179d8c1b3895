use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
fn value_from_elsewhere(#[case] db: Process) {}

fn main() {
    value_from_elsewhere();
}
