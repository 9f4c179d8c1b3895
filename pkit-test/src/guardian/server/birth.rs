//! From a fork of the guardian to a shim.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::{Guardian, Phase};
use crate::guardian::SHIM_NAME;
use crate::guardian::protocol::Launch;
use crate::guardian::shim::{self, Birth};
use crate::sys::child::{self, Side, Step};
use crate::sys::namespace::{self, Apart};
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

    /// The shim for an order: the one that waits for one, if it is as good as any other.
    pub(super) fn shim_for(&mut self, launch: &Launch) -> Result<Spare, (Step, io::Error)> {
        let _elsewhere = self.network_of(launch).map_err(|error| (Step::Network, error))?;
        match (launch.has_own_pids, launch.has_network) {
            (true, _) => self.fork_shim_apart(launch).map_err(|error| (Step::OwnPids, error)),
            (false, true) => self.fork_shim().map_err(|error| (Step::Fork, error)),
            (false, false) => {
                let spare = self.spare.take();
                spare.map_or_else(|| self.fork_shim(), Ok).map_err(|error| (Step::Fork, error))
            }
        }
    }

    /// Goes where the shim is to be: a fork is where its parent is.
    fn network_of(&mut self, launch: &Launch) -> io::Result<Option<Elsewhere>> {
        if !launch.has_network {
            return Ok(None);
        }
        let network = self.take_descriptor().ok_or(Errno::EBADF)?;
        Elsewhere::enter(&network).map(Some)
    }

    fn fork_shim(&self) -> io::Result<Spare> {
        self.fork_by(|| Ok((child::fork()?, None)))
    }

    /// Whoever is to become another user must not be in a user namespace, in which there is no other one.
    fn fork_shim_apart(&self, launch: &Launch) -> io::Result<Spare> {
        self.fork_by(|| namespace::fork_apart(launch.user.is_none()).map(|(side, apart)| (side, Some(apart))))
    }

    fn fork_by(&self, fork: impl FnOnce() -> io::Result<(Side, Option<Apart>)>) -> io::Result<Spare> {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        theirs.set_nonblocking(true)?;
        match fork()? {
            (Side::Parent { child: pid }, _) => Ok(Spare { pid, socket: ours }),
            (Side::Child, apart) => become_shim(Birth {
                socket: theirs,
                file_limit: self.file_limit,
                crash_ms: self.hello.as_ref().map_or(0, |hello| hello.crash_ms),
                apart,
            }),
        }
    }
}

/// Our only thread in another network, until this is dropped.
struct Elsewhere {
    home: OwnedFd,
}

impl Elsewhere {
    fn enter(network: &OwnedFd) -> io::Result<Elsewhere> {
        let home = namespace::network_of_thread()?;
        namespace::enter_network(network)?;
        Ok(Elsewhere { home })
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        if namespace::enter_network(&self.home).is_err() {
            // The shims of other tests would be born in a network that is not theirs. Without us theirs stop.
            child::exit_now(1);
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
