//! The http probe against servers of all kinds.

mod addresses;
mod requests;
mod vices;
