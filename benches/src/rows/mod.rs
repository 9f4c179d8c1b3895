//! What is measured: one file a row of the list.

use crate::bench::Bench;
use crate::outcome::Outcome;
use crate::table::Table;

mod ready;
mod output;
mod events;
mod stop;
mod first;
mod further;
mod redis;
mod memory;
mod many;
mod tree;
mod crash;
mod spawn;
mod peers;
mod idle;
mod ctor;
mod isolate;
mod function;
mod pool;
mod state;
mod shared;

/// One row of the list.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) measure: fn(&Bench) -> Outcome<Vec<Table>>,
}

/// All of them, in the order of the budgets.
pub(crate) const ALL: [Row; 20] = [
    Row { name: "ready", about: "lag and CPU of a start behind the server's listen()", measure: ready::measure },
    Row { name: "output", about: "lag and CPU of a start behind a banner", measure: output::measure },
    Row {
        name: "events",
        about: "the same behind a unix socket, a file, and a word of the service",
        measure: events::measure,
    },
    Row { name: "stop", about: "a process that dies at once on SIGTERM", measure: stop::measure },
    Row { name: "first", about: "the first start of a process", measure: first::measure },
    Row { name: "further", about: "each further start", measure: further::measure },
    Row { name: "redis", about: "redis up to its first PONG, and down", measure: redis::measure },
    Row { name: "memory", about: "memory of guardian and shims", measure: memory::measure },
    Row { name: "many", about: "100 and 1000 processes up and down", measure: many::measure },
    Row { name: "tree", about: "the kill of 1, 10, 100 and 1000 processes, beside peers", measure: tree::measure },
    Row { name: "spawn", about: "a start by a process of 10 MB to 1 GB, beside peers", measure: spawn::measure },
    Row { name: "peers", about: "mirakuru and pytest-xprocess at the same work", measure: peers::measure },
    Row { name: "crash", about: "from the SIGKILL of the owner until all are gone", measure: crash::measure },
    Row { name: "idle", about: "CPU of guardian and shims when nothing happens", measure: idle::measure },
    Row { name: "ctor", about: "the constructor at the start of a program", measure: ctor::measure },
    Row { name: "isolate", about: "a start with process ids or a network of its own", measure: isolate::measure },
    Row {
        name: "function",
        about: "a function as a process: start, call, memory, beside procspawn",
        measure: function::measure,
    },
    Row { name: "pool", about: "functions in processes that stay, beside procspawn", measure: pool::measure },
    Row { name: "state", about: "the shared state, beside an echo, redis and Python's", measure: state::measure },
    Row { name: "shared", about: "a lease of what a run shares, and a whole suite with it", measure: shared::measure },
];
