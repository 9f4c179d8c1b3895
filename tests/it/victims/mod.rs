//! Tests that other tests run, in a process of their own. Unless they are asked for they pass.

mod chosen;
mod verdicts;
mod inherits;
mod abandoned;
mod contested;
mod lost;
mod settings;
mod record;
mod supervised;
mod without;
mod hostile;
