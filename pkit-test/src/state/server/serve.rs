//! The process of a server, from its first to its last moment.
//!
//! Whoever knows the path may come in, also another user: a state is for processes that a test starts as whom it likes. The
//! path is a secret. Nobody can list the directories above the socket, and its name cannot be guessed. Nor does `/proc/net/unix`
//! tell it, where names of sockets are as they were bound: it gets its own afterwards.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;

use super::hall::Hall;
use crate::function::current;
use crate::sys::child::raise_file_limit;
use crate::sys::term;

/// What a socket is called until it is renamed.
const UNNAMED: &str = ".state";

/// What the process of a state does: serves on a socket of that name in its directory, until it is asked to end.
pub(crate) fn serve(name: String) {
    let stop = term::told().expect("SIGTERM can be caught");
    // Each client takes a descriptor or two.
    let _ = raise_file_limit();
    let listener = listen(current().dir(), &name).expect("the server has a directory with room for a socket");
    let mut hall = Hall::new(listener, stop).expect("the server can wait for its clients");
    current().ready();
    hall.run().expect("the server can wait for its clients");
    hall.tell();
}

/// Listens, first where nobody else can come.
pub(super) fn listen(directory: &Path, name: &str) -> io::Result<UnixListener> {
    let (bound, path) = (directory.join(UNNAMED), directory.join(name));
    // Left there by a run before this one.
    for old in [&bound, &path] {
        let _ = fs::remove_file(old);
    }
    let listener = UnixListener::bind(&bound)?;
    fs::set_permissions(&bound, Permissions::from_mode(0o666))?;
    fs::rename(&bound, &path)?;
    fs::set_permissions(directory, Permissions::from_mode(0o711))?;
    Ok(listener)
}
