use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
fn by_value(db: String) {
    drop(db);
}

#[with_processes(db = simple("a"))]
fn by_reference(db: &String) {
    let _ = db.len();
}

#[with_processes(first = simple("a"), db = simple("b"))]
fn by_mutable_reference(first: Process, db: &mut String) {
    drop(first);
    db.clear();
}

#[with_processes(db = simple("a"))]
async fn in_a_future(db: String) {
    drop(db);
}

fn main() {
    by_value();
    by_reference();
    by_mutable_reference();
    drop(in_a_future());
}
