//! States that several processes share.

mod deaths;
mod foreign;
mod guests;
mod history;
mod hostile;
mod life;
mod linear;
