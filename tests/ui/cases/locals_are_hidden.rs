use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"), api = simple(db.name()), log = __pkit_stage)]
fn no_executor_sees_them(db: Process) {
    drop(db);
}

#[with_processes(db = simple("a"))]
fn no_body_sees_them(db: Process) {
    drop((db, __pkit_stage, __pkit_up, __pkit_slot_db));
}

fn main() {
    no_executor_sees_them();
    no_body_sees_them();
}
