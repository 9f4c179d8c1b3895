//! The attribute beside every other one: each test that has it is a row of the table in the documentation.
//!
//! A row is the attributes of a test from top to bottom, and the first lines of its comment are what the table says of it.
//! `table.rs` writes them down, and fails when they differ from what is written.

mod children;
mod mock;
mod postgres;
mod source;

mod cases;
mod database;
mod fixtures;
mod others;
mod plain;
mod runtime;

mod table;
