//! Panics in a program that was built with `panic = "abort"`: no unwinding, no `Drop`.

use pkit_test::{Process, with_processes};
use victim::{say_up, spec};

#[with_processes(a = spec(), b = spec())]
fn main(a: Process, b: Process) {
    let _both = (a, b);
    say_up();
    panic!("on purpose")
}
