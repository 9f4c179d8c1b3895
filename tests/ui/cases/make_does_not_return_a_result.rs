//! What cannot be made fails the test with a reason.

use pkit_test::{Process, simple};

fn main() {
    let _ = simple("sleep 60").shared().each(|_: &Process, seat| seat.id().to_owned(), simple("true"));
}
