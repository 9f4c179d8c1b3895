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

fn main() {
    holes_of_every_spec();
}
