use pkit_test::{Process, Stack, simple, with_processes};

#[with_processes(db = simple("a"), api = simple("b"))]
async fn by_value(db: Stack, api: &Process) {
    drop(db);
    assert!(api.is_alive());
}

#[with_processes(db = simple("a"))]
async fn by_reference(db: &mut String) -> usize {
    db.len()
}

fn main() {
    let _ = by_value();
    let _ = by_reference();
}
