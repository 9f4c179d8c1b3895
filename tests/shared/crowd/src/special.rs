//! Tests that do something to what is shared, each of them run for that by the driver.

use std::env;
use std::time::Duration;

use pkit_test::{Process, Restart, Shared, Spec, output, tcp, with_processes};
use pkit_test_tests::child::pause;

use crate::ask;
use crate::ledger::note;
use crate::servers::{broken, db, solo};
use crate::trouble::{die, open_gate};

/// Is up, and stays until somebody ends it.
#[with_processes(db = db())]
pub fn hangs(db: Process) {
    note("lease", "hangs", format_args!("db {}", db.pid().expect("it is up")));
    pause()
}

/// Whoever has it fails with what happened, this one as well.
#[with_processes(db = db())]
pub fn ends_the_server(db: Process) {
    let _ = crate::asked(db.addr(), "DIE 3"); // It has no time to answer.
    assert_eq!(db.wait().unwrap().code(), Some(3));
    open_gate();
}

/// What one does who has it for himself is seen by those who come after him.
#[with_processes(solo = solo().exclusive())]
pub fn is_alone_and_starts_it_again(solo: Process) {
    let before = solo.pid();
    solo.restart(Restart::Graceful).unwrap();
    assert_ne!(solo.pid(), before);
    let pid = solo.pid().expect("it is up again");
    assert_eq!(ask(solo.addr(), "PING"), format!("solo {pid}"));
}

/// Leaves it stopped, and dies: nobody gets that.
#[with_processes(solo = solo().exclusive())]
pub fn is_alone_and_dies(solo: Process) {
    solo.stop().unwrap();
    open_gate();
    die("is_alone_and_dies");
}

/// The server writes what each says, and a test that fails is shown what was written while it was there.
#[with_processes(db = db())]
pub fn says(words: &str, passes: bool, db: Process) {
    assert_eq!(ask(db.addr(), &format!("SAY {words}")), "yes");
    db.wait_for_output(words, Duration::from_secs(20)).unwrap();
    assert!(passes, "this one is to fail");
}

/// Fails, with the words of the one start that there was.
#[with_processes(broken = broken())]
pub fn needs_what_is_broken(broken: Process) {
    note("lease", "broken", broken.addr());
}

/// Fails, with the words of a start of its own.
#[with_processes(broken = broken().try_again())]
pub fn tries_what_is_broken_again(broken: Process) {
    note("lease", "broken", broken.addr());
}

/// Has a child of the driver's choice, and does what that wants.
#[with_processes(child = chosen())]
pub fn has_a_child(child: Process) {
    note("lease", "has_a_child", child.pid().expect("it is up"));
    match variable("CROWD_THEN").as_str() {
        "returns" => {}
        "dies" => die("has_a_child"),
        _ => pause(),
    }
}

fn chosen() -> Shared<Spec> {
    let command = variable("CROWD_COMMAND");
    let spec = match variable("CROWD_READY").as_str() {
        "tcp" => tcp(command, 0),
        pattern => output(command, pattern),
    };
    // Short, as some are deaf.
    spec.stop_timeout(Duration::from_millis(100)).shared()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is not set: the tests of sharing run this"))
}
