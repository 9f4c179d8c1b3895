//! The tests of the library, in one binary.

mod alone;
mod child;
mod dump;
mod nested;
mod text;

mod abandoned;
mod attribute;
mod contested;
mod errors;
mod finished;
mod handle;
mod hostile;
mod isolation;
mod lost;
mod many;
mod nextest;
mod orchestra;
mod output;
mod peers;
mod poll;
mod race;
mod ready;
mod record;
mod servers;
mod settings;
mod supervise;
mod surprise;
mod verdicts;
mod victims;
mod without;
