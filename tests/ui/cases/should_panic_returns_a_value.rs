use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
#[test]
#[should_panic(expected = "boom")]
fn returns(db: Process) -> Result<(), String> {
    Err(db.name().to_owned())
}

fn main() {}
