//! The tests of the library, in one binary.

mod alone;
mod child;
mod dump;
mod nested;
mod text;

mod attribute;
mod errors;
mod handle;
mod isolation;
mod lost;
mod many;
mod nextest;
mod orchestra;
mod output;
mod race;
mod ready;
mod servers;
mod settings;
mod supervise;
mod surprise;
mod verdicts;
mod victims;
