//! Tests that have something of their own in a server that they share.

use pkit_test::{Executor, Process, Seat, View, simple, undo, with_processes};

use crate::ledger::note;
use crate::servers::{db, program};
use crate::visits::is_there;
use crate::{ask, turns};

/// Undone by a program or by a function.
pub(crate) fn keeps(who: &str) {
    let own = who.to_owned();
    let make = move |db: &Process, seat: &Seat| -> Result<String, String> {
        let slot = turns::hold_slot(seat.slot());
        note("seat", &own, seat.id());
        let answer = ask(db.addr(), &format!("MAKE {}", seat.id()));
        drop(slot); // What undoes it takes it.
        if answer == "yes" { Ok(seat.id().to_owned()) } else { Err(format!("{} is there already", seat.id())) }
    };
    if who.len() % 2 == 0 { keeps_until_a_program(who, make) } else { keeps_until_a_function(who, make) }
}

fn keeps_until_a_program(who: &str, make: impl FnOnce(&Process, &Seat) -> Result<String, String> + Send + 'static) {
    let undo = simple(program("drop --of {addr} --what {seat} --slot {slot}"));
    uses(who, db().each(make, undo));
}

fn keeps_until_a_function(who: &str, make: impl FnOnce(&Process, &Seat) -> Result<String, String> + Send + 'static) {
    uses(who, db().each(make, undo(drop_it)));
}

fn drop_it(seat: Seat) {
    let _held = turns::hold_slot(seat.slot());
    let answer = ask(seat.addr(), &format!("DROP {}", seat.id()));
    note("undone", seat.id(), answer);
}

#[with_processes(own = views)]
fn uses(who: &str, views: impl Executor<Handle = View<String>> + 'static, own: View<String>) {
    let db = own.shared();
    let all = ask(db.addr(), "LIST");
    assert!(all.split(' ').any(|one| one == *own), "{} is not in {all}", *own);
    is_there(who, db, "db");
}
