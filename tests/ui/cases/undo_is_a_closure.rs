//! It has to happen also when the test was killed, so it cannot be code of the test.

use pkit_test::{Process, Seat, simple};

fn main() {
    let _ = simple("sleep 60").shared().each(
        |store: &Process, seat| std::fs::write(store.dir().join(seat.id()), ""),
        |store: &Process, seat: &Seat| std::fs::remove_file(store.dir().join(seat.id())),
    );
}
