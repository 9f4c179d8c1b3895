//! From a fork of the guardian to a shim.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use nix::errno::Errno;

use super::member::Shim;
use super::{Guardian, Phase};
use crate::guardian::SHIM_NAME;
use crate::guardian::protocol::{Event, Launch, Order};
use crate::guardian::shim::{self, Birth};
use crate::guardian::wire::Frame;
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

    pub(super) fn spawn(&mut self, frame: &Frame, launch: &Launch) {
        let bell = self.inbox.attached();
        match self.joined_for(frame.id, launch) {
            Ok((Spare { pid, socket }, ahead)) => {
                let mut shim = Shim::new(pid, socket, launch);
                for (order, descriptor) in ahead {
                    shim.outbox.push_with(&order.to_frame(frame.id), Some(descriptor));
                }
                shim.outbox.push_with(frame, bell);
                self.shims.insert(frame.id, shim);
                self.unsent.insert(frame.id);
            }
            Err((step, error)) => {
                let errno = error.raw_os_error().unwrap_or(0);
                self.outbox.push(&Event::Refused { step, errno }.to_frame(frame.id));
            }
        }
    }

    /// The shim for an order, which we hear from now on, and what it is to be given ahead.
    fn joined_for(&mut self, id: u32, launch: &Launch) -> Forked<(Spare, Vec<Ahead>)> {
        // All before anything can fail: nobody asks again for what is left here.
        let (ahead, network) = (self.ahead_of(id, launch), self.network_of(id, launch));
        let ahead = ahead.map_err(|error| (Step::Slate, error))?;
        let spare = self.shim_for(launch, network.map_err(|error| (Step::Network, error))?)?;
        self.crowd.add(&spare.socket, id).map_err(|error| (Step::Fork, error))?;
        Ok((spare, ahead))
    }

    fn ahead_of(&mut self, id: u32, launch: &Launch) -> io::Result<Vec<Ahead>> {
        let (slate, binary) = (self.slates.remove(&id), self.binaries.remove(&id));
        let Some(function) = &launch.function else { return Ok(Vec::new()) };
        // As a network, they may have been lost on the way.
        let mut ahead = vec![(Order::Slate, slate.ok_or(Errno::EMFILE)?)];
        if function.has_binary {
            ahead.push((Order::Binary, binary.ok_or(Errno::EMFILE)?));
        }
        Ok(ahead)
    }

    /// The shim for an order: the one that waits for one, if it is as good as any other.
    fn shim_for(&mut self, launch: &Launch, network: Option<OwnedFd>) -> Forked<Spare> {
        match (launch.has_own_pids, network) {
            (true, network) => self.fork_shim_apart(launch, network),
            (false, Some(network)) => self.fork_shim_in(network),
            (false, None) => self.spare.take().map_or_else(|| self.fork_shim(), Ok),
        }
    }

    fn network_of(&mut self, id: u32, launch: &Launch) -> io::Result<Option<OwnedFd>> {
        if !launch.has_network {
            return Ok(None);
        }
        // It may have been lost on the way, where there was no room for another descriptor.
        Ok(Some(self.networks.remove(&id).ok_or(Errno::EMFILE)?))
    }

    fn fork_shim(&self) -> Forked<Spare> {
        self.fork_by(None, fork_plainly)
    }

    fn fork_shim_in(&self, network: OwnedFd) -> Forked<Spare> {
        self.fork_by(Some(network), fork_plainly)
    }

    /// Whoever is to become another user must not be in a user namespace, in which there is no other one.
    fn fork_shim_apart(&self, launch: &Launch, network: Option<OwnedFd>) -> Forked<Spare> {
        let fork = || namespace::fork_apart(launch.user.is_none()).map(|(side, apart)| (side, Some(apart)));
        self.fork_by(network, fork)
    }

    /// It is the shim that goes into a network: we might not be able to come back.
    fn fork_by(&self, network: Option<OwnedFd>, fork: impl FnOnce() -> Forked<(Side, Option<Apart>)>) -> Forked<Spare> {
        let (ours, theirs) = pair().map_err(|error| (Step::Fork, error))?;
        let guardian = child::own_pid();
        match fork()? {
            (Side::Parent { child: pid }, _) => Ok(Spare { pid, socket: ours }),
            (Side::Child, apart) => become_shim(Birth {
                socket: theirs,
                // In there nobody outside has an id.
                guardian: apart.is_none().then_some(guardian),
                file_limit: self.file_limit,
                crash_ms: self.hello.as_ref().map_or(0, |hello| hello.crash_ms),
                apart,
                not_there: network.and_then(|network| namespace::enter_network(network).err()),
            }),
        }
    }
}

/// What a shim is given before its order.
type Ahead = (Order, OwnedFd);

/// Or the step that was refused.
type Forked<T> = Result<T, (Step, io::Error)>;

fn fork_plainly() -> Forked<(Side, Option<Apart>)> {
    child::fork().map(|side| (side, None)).map_err(|error| (Step::Fork, error))
}

fn pair() -> io::Result<(UnixStream, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    theirs.set_nonblocking(true)?;
    Ok((ours, theirs))
}

/// Leaves everything of the guardian behind: above all the ends of other shims' sockets, whose closing is a message.
///
/// Nothing goes before that and the word that wakes it: one that is stopped before it is here keeps all of it.
fn become_shim(birth: Birth) -> ! {
    platform::wake_with_parent();
    let socket = match fd::keep_only(birth.socket.into()) {
        Ok(socket) => UnixStream::from(socket),
        Err(_) => child::exit_now(1),
    };
    child::leave_session();
    platform::set_process_name(SHIM_NAME);
    if wait::prepare_signals().is_err() {
        child::exit_now(1);
    }
    shim::main(Birth { socket, ..birth })
}
