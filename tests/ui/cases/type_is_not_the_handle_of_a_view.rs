//! What a test has of its own on a shared server comes as a view.

use pkit_test::{Executor, Process, simple, with_processes};

fn database() -> impl Executor {
    simple("sleep 60").shared().each(|_: &Process, seat| Ok::<_, String>(seat.id().to_owned()), simple("true"))
}

#[with_processes(db = simple("sleep 60").shared().each(|_: &Process, _| Ok::<_, String>(7), simple("true")))]
fn takes_the_server(db: Process) {
    let _ = (db, database());
}

fn main() {
    takes_the_server();
}
