use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
fn value_of_another_type(db: Process) -> u32 {
    db.name()
}

#[with_processes(db = simple("a"))]
fn nothing_at_the_end(db: Process) -> Result<(), String> {
    drop(db);
}

#[with_processes(db = simple("a"))]
fn question_mark_without_result(db: Process) {
    db.name().parse::<u32>()?;
}

#[with_processes(db = simple("a"))]
async fn future_of_another_type(db: Process) -> u32 {
    db.name()
}

#[with_processes(db = simple("a"))]
fn moved_twice(db: Process) {
    drop(db);
    drop(db);
}

fn main() {}
