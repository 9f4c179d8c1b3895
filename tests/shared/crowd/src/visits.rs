//! What a test of the crowd does with what it has a share of, and what must hold for each.

use pkit_test::{Process, Spec, Worker, orchestra, output, with_processes};

use crate::ledger::note;
use crate::servers::{db, fragile, program, served, solo, stack};
use crate::trouble::Trouble;
use crate::{ask, turns, views};

/// One of six kinds, by its number; the last kind is alone now and then.
pub fn visit(binary: &str, test: &str) {
    let who = &format!("{binary}::{test}");
    let number: u32 = test[1..].parse().expect("the macro made it");
    Trouble::begins(who, number);
    match number % 6 {
        0 => asks(who),
        1 => views::keeps(who),
        2 => asks_through(who),
        3 => calls(who),
        4 => sits(who),
        _ if number % 30 == 29 => is_alone(who),
        _ => is_one_of_many(who),
    }
    Trouble::ends();
    note("passed", who, "-");
}

/// The very process that the handle is of answers.
pub(crate) fn is_there(who: &str, process: &Process, name: &str) {
    let pid = process.pid().unwrap_or_else(|| panic!("{name} is down"));
    assert_eq!(ask(process.addr(), "PING"), format!("{name} {pid}"));
    note("lease", who, format_args!("{name} {pid}"));
}

#[with_processes(db = db(), fragile = fragile())]
fn asks(who: &str, db: Process, fragile: Process) {
    is_there(who, &db, "db");
    is_there(who, &fragile, "fragile");
    let refused = db.stop().unwrap_err();
    assert!(refused.is_shared(), "{refused}");
    is_there(who, &db, "db");
}

#[with_processes(stack = stack())]
fn asks_through(who: &str, stack: pkit_test::Stack) {
    is_there(who, &stack["store"], "store");
    is_there(who, &stack["front"], "front");
}

#[with_processes(served = served())]
fn calls(who: &str, served: Worker<()>) {
    let pid = served.pid().expect("it is up");
    assert_eq!(ask(served.addr(), "PING"), format!("function {pid}"));
    note("lease", who, format_args!("function {pid}"));
}

/// A process of the test's own, which needs one that is shared and is told its slot.
fn sits(who: &str) {
    let own = std::process::id();
    let client: Spec = output(program(&format!("hold --slot {{db.slot}} --of {own}")), "has slot");
    let stack = orchestra().with("db", db()).with("client", client).start();
    let stack = stack.unwrap_or_else(|error| panic!("{error}"));
    let slot = stack["db"].slot().expect("it is shared");
    assert_eq!(stack["client"].output(), format!("has slot {slot}\n"));
    note("slot", who, slot);
    is_there(who, &stack["db"], "db");
}

#[with_processes(solo = solo())]
fn is_one_of_many(who: &str, solo: Process) {
    let _turn = turns::together("solo");
    is_there(who, &solo, "solo");
}

#[with_processes(solo = solo().exclusive())]
fn is_alone(who: &str, solo: Process) {
    let _turn = turns::alone("solo");
    solo.pause().unwrap();
    solo.resume().unwrap();
    is_there(who, &solo, "solo");
    note("alone", who, "-");
}
