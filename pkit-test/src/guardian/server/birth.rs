//! From a fork of the guardian to a shim.

use std::os::unix::net::UnixStream;

use crate::guardian::SHIM_NAME;
use crate::guardian::shim::{self, Birth};
use crate::sys::{child, fd, platform, wait};

/// Leaves everything of the guardian behind: above all the ends of other shims' sockets, whose closing is a message.
pub(super) fn become_shim(birth: Birth) -> ! {
    child::leave_session();
    platform::set_process_name(SHIM_NAME);
    let socket = match fd::keep_only(birth.socket.into()) {
        Ok(socket) => UnixStream::from(socket),
        Err(_) => child::exit_now(1),
    };
    if wait::prepare_signals().is_err() {
        child::exit_now(1);
    }
    shim::main(Birth { socket, ..birth })
}
