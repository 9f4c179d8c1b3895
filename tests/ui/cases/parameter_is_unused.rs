#![deny(warnings)]

use pkit_test::{Process, simple, with_processes};

#[with_processes(cache = simple("a"), db = simple("b"), api = simple("c"))]
fn warned_as_in_any_function(cache: Process, mut db: &Process, _api: Process) {}

#[with_processes(cache = simple("a"))]
async fn warned_in_a_future(cache: &mut Process) {}

fn main() {
    warned_as_in_any_function();
    drop(warned_in_a_future());
}
