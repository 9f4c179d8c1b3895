use pkit_test::{Process, simple, with_processes};

#[with_processes(db = simple("a"))]
const fn at_compile_time(db: Process) -> u8 {
    1
}

fn main() {
    at_compile_time();
}
