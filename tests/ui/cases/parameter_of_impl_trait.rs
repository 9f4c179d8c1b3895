use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
fn impl_trait(db: impl AsRef<Process>) {}

fn main() {
    impl_trait();
}
