//! From a fork of the guardian to a shim.

use std::io;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::{Guardian, Phase};
use crate::guardian::SHIM_NAME;
use crate::guardian::shim::{self, Birth};
use crate::sys::child::{self, Side};
use crate::sys::{fd, platform, wait};

/// How long after a start the next shim is forked: first the test is told, and gets the processor.
pub(super) const SPARE_DELAY: Duration = Duration::from_micros(500);

/// A shim before its first order.
pub(super) struct Spare {
    pub(super) pid: i32,
    pub(super) socket: UnixStream,
}

impl Guardian {
    /// Forks the next shim while the test is busy with the last one: a good part of a start is done before it is asked
    /// for. Where there is no room for one now, the next start says so.
    pub(super) fn fork_spare(&mut self) {
        if self.spare_due.take_if(|due| *due <= Instant::now()).is_none() {
            return;
        }
        if self.spare.is_none() && matches!(self.phase, Phase::Serving) {
            self.spare = self.fork_shim().ok();
        }
    }

    pub(super) fn fork_shim(&self) -> io::Result<Spare> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        match child::fork()? {
            Side::Parent { child: pid } => Ok(Spare { pid, socket: ours }),
            Side::Child => become_shim(Birth {
                socket: theirs,
                file_limit: self.file_limit,
                crash_ms: self.hello.as_ref().map_or(0, |hello| hello.crash_ms),
            }),
        }
    }
}

/// Leaves everything of the guardian behind: above all the ends of other shims' sockets, whose closing is a message.
fn become_shim(birth: Birth) -> ! {
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
