//! Tests that go on until the system refuses: a start that cannot be is an error, and leaves nothing.

use nix::sys::signal::Signal;
use pkit_test::Executor as _;
use victim::{Held, die_of, say, say_up, spec};

/// More than any of the limits allows.
const MANY: u32 = 200;

fn until_refused() -> Vec<Held> {
    say("starting");
    let mut all = Vec::new();
    for _ in 0..MANY {
        match spec().start() {
            Ok(process) => all.push(process),
            Err(error) => {
                say(&format!("after {}: {error}", all.len()));
                say_up();
                return all;
            }
        }
    }
    say("nothing is refused");
    panic!("there is no limit");
}

#[test]
fn returns() {
    let _all = until_refused();
}

#[test]
fn is_killed() {
    let _all = until_refused();
    die_of(Signal::SIGKILL)
}
