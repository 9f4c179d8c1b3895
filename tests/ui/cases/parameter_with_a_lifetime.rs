use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
fn named_lifetime<'a>(text: &'a str, db: &'a Process) -> &'a str {
    text
}

fn main() {
    named_lifetime("");
}
