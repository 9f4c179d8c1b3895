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
mod events;
mod exec;
mod finished;
mod handle;
mod http;
mod isolate;
mod isolation;
mod janitor;
mod lost;
mod many;
mod nextest;
mod orchestra;
mod output;
mod peers;
mod poll;
mod ports;
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
