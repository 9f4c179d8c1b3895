//! A program that was built with `panic = "abort"`: no unwinding, no `Drop`. What it does is its argument.

use std::{env, process, thread};

use nix::sys::signal::Signal;
use pkit_test::with_processes;
use pkit_test_tests::child::pause;
use victim::{Held, die_of, say_up, spec};

#[with_processes(a = spec(), b = spec())]
fn main(a: Held, b: Held) {
    let _both = (a, b);
    say_up();
    match env::args().nth(1).as_deref() {
        Some("returns") => {}
        Some("panics") => panic!("on purpose"),
        Some("panics_in_a_thread") => drop(thread::spawn(|| panic!("on purpose")).join()),
        Some("exits") => process::exit(3),
        Some("kills_itself") => die_of(Signal::SIGKILL),
        Some("pauses") => pause(),
        _ => process::exit(64),
    }
}
