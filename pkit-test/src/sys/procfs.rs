//! What `/proc` says about processes.
//!
//! Every answer is about a moment that is over. A process may be gone, or its id may be another's, before the
//! caller reads on: so nothing here is ever used to decide whom to signal, and what has vanished is simply not there.

mod walk;

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;

#[cfg(test)]
mod tests;
