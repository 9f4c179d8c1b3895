use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
#[should_panic]
async fn awaited(db: Process) -> Result<(), String> {
    drop(db);
    Ok(())
}

fn main() {
    let _ = awaited();
}
