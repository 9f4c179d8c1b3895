use pkit_test::{simple, with_processes};

#[with_processes(db = simple("a"))]
struct Thing;

#[with_processes(port = simple("a"))]
mod inner {}

trait Trait {
    #[with_processes(db = simple("a"))]
    fn without_body(&self);
}

fn main() {
    let _ = Thing;
}
