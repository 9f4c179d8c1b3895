use pkit_test::{simple, with_processes};

#[with_processes(
    fn = simple("a"),
    self = simple("a"),
    _ = simple("a"),
    r#type = simple("a"),
    "db" = simple("a"),
    4 = simple("a"),
    (db) = simple("a"),
)]
fn what_no_hole_can_say() {}

fn main() {
    what_no_hole_can_say();
}
