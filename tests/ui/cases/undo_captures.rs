//! It is called in another process, with the seat and with nothing else.

use pkit_test::{Process, Seat, simple, undo};

fn main() {
    let place = String::from("databases");
    let _ = simple("sleep 60").shared().each(
        |_: &Process, _| Ok::<_, String>(()),
        undo(move |seat: Seat| println!("{place}/{}", seat.id())),
    );
}
