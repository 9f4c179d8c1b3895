//! How a function hears that it is to end.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, OnceLock};
use std::thread;

use crate::sync::lock;
use crate::sys::term;

type Closure = Box<dyn FnMut() + Send>;

/// What is called on SIGTERM, in this order.
static CLOSURES: Mutex<Vec<Closure>> = Mutex::new(Vec::new());

/// Calls it on each SIGTERM from now on.
pub(super) fn on_terminate(closure: Closure) {
    static LISTENS: OnceLock<()> = OnceLock::new();
    lock(&CLOSURES).push(closure);
    LISTENS.get_or_init(|| {
        let listener = thread::Builder::new().name("pkit-terminate".to_owned()).spawn(listen);
        listener.expect("a process that may have no more threads cannot be told that it is to end");
        // Not before: where nobody listens it is to be the end, as ever.
        catch();
    });
}

/// Whether a SIGTERM has come since somebody wants to know.
pub(super) fn is_asked_to() -> bool {
    catch();
    term::has_come()
}

fn catch() {
    term::catch().expect("SIGTERM is a signal that can be caught");
}

fn listen() {
    loop {
        term::wait();
        call_all();
    }
}

/// Without the lock, since one may add another one, which is then called from the next time on.
fn call_all() {
    let mut closures = std::mem::take(&mut *lock(&CLOSURES));
    for closure in &mut closures {
        // The hook has said what there is to say about a panic, and the others are to be called.
        let _ = catch_unwind(AssertUnwindSafe(closure));
    }
    let mut added = lock(&CLOSURES);
    closures.append(&mut added);
    *added = closures;
}
