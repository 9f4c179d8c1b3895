use pkit_test::{Process, simple, with_processes};

#[with_processes(cache = simple("a"), port = simple("b"), cache = simple("c"), db)]
#[test]
const fn everything_is_wrong(cahce: Process, _db: Process, db: &'static Process, other: u8) {}

fn main() {}
