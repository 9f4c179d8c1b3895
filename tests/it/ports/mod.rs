//! Ports in all their cases: of networks, of users, of strangers, of each other's tests.

mod circle;
mod namespace;
mod race;
mod stranger;
mod users;
