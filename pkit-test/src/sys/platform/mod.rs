//! What differs between systems. Both sides export the same names.

mod portable;

/// What the child of a spawn leaves when it could not become its program: a step and the number of an error.
pub(crate) type Failure = [i32; 2];

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::*;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::*;
