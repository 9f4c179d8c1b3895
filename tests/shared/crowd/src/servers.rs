//! What the crowd shares.

use std::net::TcpListener;

use pkit_test::ready::{Tcp, View, poll};
use pkit_test::{Command, Orchestra, Shared, Spec, Worker, bin, current, function, orchestra, tcp};

use crate::ledger::note;
use crate::trouble;

/// A fake server. Its ledger is the runner's, by its environment.
fn fake(name: &str) -> Spec {
    tcp(program(&format!("serve {name} --listen {{addr}} --boot-ms 30")), 0)
}

/// The program of all that is not a function.
pub(crate) fn program(arguments: &str) -> Command {
    bin!("fake").args(arguments)
}

/// One that keeps things.
pub(crate) fn db() -> Shared<Spec> {
    fake("db").shared()
}

/// One that somebody has for himself now and then.
pub(crate) fn solo() -> Shared<Spec> {
    fake("solo").shared()
}

/// Two of them, one of which needs the other.
pub(crate) fn stack() -> Shared<Orchestra> {
    let front = fake("front").env("STORE", "{store.addr}");
    orchestra().with("store", fake("store")).with("front", front).shared()
}

/// One that has a closure, and is where a starter is killed.
pub(crate) fn fragile() -> Shared<Spec> {
    let asked = |view: &View| {
        trouble::kills_the_starter();
        crate::asked(view.addr(), "PING").is_ok()
    };
    fake("fragile").ready(poll(asked)).shared_as("fragile")
}

/// A function of this binary.
pub(crate) fn served() -> Shared<Spec<Worker<()>>> {
    function(serve, ()).ready(Tcp::any()).shared()
}

fn serve() {
    let listener = TcpListener::bind(current().addr()).expect("nobody else has the port");
    note("start", "function", "-");
    for client in listener.incoming().flatten() {
        crate::words::greet(&client);
    }
}

/// One that never comes up.
pub(crate) fn broken() -> Shared<Spec> {
    tcp(program("fail"), 0).shared()
}
