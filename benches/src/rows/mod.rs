//! What is measured: one file a row of the list.

use crate::bench::Bench;
use crate::outcome::Outcome;
use crate::table::Table;

mod ready;
mod output;
mod stop;
mod first;
mod further;
mod redis;
mod memory;
mod many;
mod crash;
mod idle;
mod ctor;
mod isolate;

/// One row of the list.
pub(crate) struct Row {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    pub(crate) measure: fn(&Bench) -> Outcome<Vec<Table>>,
}

/// All of them, in the order of the budgets.
pub(crate) const ALL: [Row; 12] = [
    Row { name: "ready", about: "lag and CPU of a start behind the server's listen()", measure: ready::measure },
    Row { name: "output", about: "lag and CPU of a start behind a banner", measure: output::measure },
    Row { name: "stop", about: "a process that dies at once on SIGTERM", measure: stop::measure },
    Row { name: "first", about: "the first start of a process", measure: first::measure },
    Row { name: "further", about: "each further start", measure: further::measure },
    Row { name: "redis", about: "redis up to its first PONG, and down", measure: redis::measure },
    Row { name: "memory", about: "memory of guardian and shims", measure: memory::measure },
    Row { name: "many", about: "100 and 1000 processes up and down", measure: many::measure },
    Row { name: "crash", about: "from the SIGKILL of the owner until all are gone", measure: crash::measure },
    Row { name: "idle", about: "CPU of guardian and shims when nothing happens", measure: idle::measure },
    Row { name: "ctor", about: "the constructor at the start of a program", measure: ctor::measure },
    Row { name: "isolate", about: "a start with process ids or a network of its own", measure: isolate::measure },
];
