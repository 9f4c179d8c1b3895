use pkit_test::{simple, with_processes};

#[with_processes(
    port = simple("a"),
    host = simple("a"),
    addr = simple("a"),
    dir = simple("a"),
    env = simple("a"),
    index = simple("a"),
    slot = simple("a"),
    peers = simple("a"),
    link = simple("a"),
)]
fn holes_of_every_spec() {}

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
    holes_of_every_spec();
    what_no_hole_can_say();
}
