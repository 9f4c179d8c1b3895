use pkit_test::{Process, simple, with_processes};

#[with_processes(cache = simple("a"), api = simple("b"))]
#[test]
#[ignore = "an attribute of the compiler fills nothing in"]
fn misspelt(api: Process, chache: Process) {}

#[with_processes(cache = simple("a"))]
#[test]
fn unknown(cache: Process, number: u32, (a, b): (u8, u8), ref cache: Process) {}

#[with_processes(cache = simple("a"))]
fn a_helper_has_callers(cache: Process, number: u32) {
    let _ = (cache, number);
}

#[with_processes(cache = simple("a"))]
fn main(cahce: Process) {
    a_helper_has_callers(1);
}
