//! Tests that other tests run, in a process of their own. Unless they are asked for they pass.

mod chosen;
mod verdicts;
mod inherits;
mod abandoned;
mod contested;
mod janitor;
mod exec;
mod forbidden;
mod functions;
mod lost;
mod ports;
mod settings;
mod record;
mod shared;
mod state;
mod history;
mod held;
mod supervised;
mod isolate;
mod without;
pub(crate) mod views;
mod hostile;
