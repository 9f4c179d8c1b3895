//! Tells that something happens at a path: that it is made, moved there, written to, removed.
//!
//! What is not there yet is watched by the directory that it is to be in, or by the nearest one above that exists. An event
//! only says that it is worth while to look: some come for nothing, and on some file systems none comes.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
pub(crate) use linux::Watch;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
pub(crate) use other::Watch;

use std::io;

/// Lets a watch, opened where there is none yet, take in what has happened and follow a path again. Whether it does: where it
/// cannot there is none any more, and nobody is told of anything.
pub(crate) fn follow(place: &mut Option<Watch>, follow: impl FnOnce(&mut Watch) -> io::Result<()>) -> bool {
    let followed = place.take().or_else(|| Watch::open().ok());
    *place = followed.and_then(|mut watch| follow(&mut watch).ok().map(|()| watch));
    place.is_some()
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
