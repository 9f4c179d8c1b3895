use pkit_test::{Process, simple, with_processes};

#[with_processes(db = 5)]
fn number(db: Process) {
    drop(db);
}

#[with_processes(cache = simple("a"), db = "redis-server")]
fn only_a_command(cache: Process, db: Process) {
    drop((cache, db));
}

fn main() {
    number();
    only_a_command();
}
