//! What keeps a server from a port on which nobody listens.
//!
//! A bind without `SO_REUSEADDR` fails on the remains of connections (`TIME_WAIT`, for a minute); any bind fails on a socket
//! that is bound and does not listen, and on an outgoing connection that happens to have this number at its near end.
//! "Address already in use" is all that a server can say of it.

use std::collections::BTreeSet;

use super::bind::Bind;
use crate::sys::diag::{Diag, Occupant, Usage};
use crate::sys::procfs;

/// Whether some servers could not bind a port, although nobody listens there. To be asked before one is started: what is
/// there after it has ended may be its own.
pub(crate) fn is_obstructed(number: u16) -> bool {
    matches!(Bind::Exclusively.free_guard(number), Ok(None))
}

/// What is at a port besides listeners, in words.
pub(crate) fn remains(diag: &Diag, number: u16) -> Vec<String> {
    let occupants = diag.occupants(number).unwrap_or_default();
    let named: BTreeSet<String> = occupants.iter().filter_map(|occupant| named(occupant, number)).collect();
    // Most servers do not mind those, and then it is somebody who can be named.
    let has_ending = occupants.iter().any(|occupant| occupant.usage == Usage::Ending);
    let ending = (named.is_empty() && has_ending).then(|| {
        format!(
            "{number} has connections in TIME_WAIT: a server without SO_REUSEADDR cannot bind it, for up to a minute"
        )
    });
    named.into_iter().chain(ending).collect()
}

/// Those whom somebody has. Ours are bound to keep the number, and are in nobody's hands.
fn named(occupant: &Occupant, number: u16) -> Option<String> {
    let (pid, command) = procfs::find_socket_owner(occupant.inode, &[])?;
    match occupant.usage {
        Usage::Ending => None,
        Usage::Connected => {
            Some(format!("{number} is the near end of a connection to {} of `{command}` (pid {pid})", occupant.peer))
        }
        Usage::Bound => Some(format!("{number} is bound by `{command}` (pid {pid}), which does not listen")),
    }
}
