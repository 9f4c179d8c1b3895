use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
fn named_lifetime<'a>(text: &'a str, db: &'a Process) -> &'a str {
    text
}

#[with_processes(db = simple("a"))]
fn impl_trait(db: impl AsRef<Process>) {}

#[with_processes(db = simple("a"))]
fn value_from_elsewhere(#[case] db: Process) {}

fn main() {
    named_lifetime("");
    impl_trait();
    value_from_elsewhere();
}
