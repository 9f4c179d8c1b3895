//! The guardian's side: keeps shims and ports, passes messages on, and stops everything in reverse order of start.
//!
//! ```text
//!             frame        owner dead      goodbye         asked by signal   a shim ended (**)   time is over
//! Serving     obey it      -> Ending (*)   -> Ending (*)   -> Ending         forget it           (none)
//! Kept        decline it   (ignored)       (never)         -> Ending         forget it           -> Ending
//! Ending      decline it   hurry           decline it      hurry             the next one        SIGKILL for the shim at hand
//!
//! (*)  or Kept, where `PKIT_KEEP` says so
//! (**) one that was killed has not said that nothing is left: then also sweep
//! ```
//!
//! It is over when nothing runs any more that it has started, other than in Serving.
//!
//! It has one thread, waits without a timeout while it serves, and keeps nothing of the test open but the duplicate of
//! its stderr for one last report.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::net::Shutdown;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use super::protocol::{ATTEND, BINARY, Event, Hello, NETWORK, Order, SLATE, SPAWN};
use super::registry::Ledger;
use super::wire::{Frame, Got, Inbox, Outbox};
use crate::limits::FRAME_BYTES;
use crate::sys::child::{self, FileLimit, Reaped};
use crate::sys::platform::Crowd;
use crate::sys::strays::{self, Whose};
use crate::sys::wait::{self, For};
use crate::sys::{directory, fd, namespace, platform, procfs, takeover};

mod birth;
mod decline;
mod ending;
mod janitor;
mod kept;
mod member;
mod sweep;
mod watch;

use birth::{SPARE_DELAY, Spare};
use ending::{Ending, overdue};
use janitor::Janitor;
use member::Shim;
use watch::OwnerWatch;

/// More unsent orders than this, beside a start of any size, and a shim is stuck: it reads whatever comes.
const STUCK_BYTES: usize = FRAME_BYTES + 4 * 1024 * 1024;

/// Runs the guardian in the process that the constructor recognised. Never returns to the test binary's `main`.
pub(crate) fn main() -> ! {
    child::leave_session();
    if let Ok(mut guardian) = Guardian::begin() {
        guardian.run();
    }
    child::exit_now(0)
}

struct Guardian {
    owner: Option<UnixStream>,
    watch: Option<OwnerWatch>,
    stderr: Option<File>,
    inbox: Inbox,
    outbox: Outbox,
    hello: Option<Hello>,
    shims: BTreeMap<u32, Shim>,
    /// The sockets of those that are not closed.
    crowd: Crowd,
    /// Those that something is to be sent to, or that wait for our end of the socket to be closed.
    unsent: BTreeSet<u32>,
    /// Not hashed, here and in whatever else a guardian keeps: the keys of the hashes are random once a thread, and all
    /// functions that are forked from here would have the same.
    ports: BTreeMap<u64, OwnedFd>,
    /// Those that services that are about to be started are to be in.
    networks: BTreeMap<u32, OwnedFd>,
    /// What functions that are about to be started are given.
    slates: BTreeMap<u32, OwnedFd>,
    /// And the binaries of those that are in another one.
    binaries: BTreeMap<u32, OwnedFd>,
    file_limit: Option<FileLimit>,
    phase: Phase,
    /// A shim that has nothing to run yet, and when there is to be one.
    spare: Option<Spare>,
    spare_due: Option<Instant>,
    /// Set while orphans of a killed shim may be around.
    is_sweeping: bool,
    sweeps: u32,
    /// Shims that were killed, whose end is told when nothing is left of them.
    lost: Vec<u32>,
    /// What is written down for whoever comes when we were killed, and what of it is still to be written.
    ledger: Option<Ledger>,
    born: Vec<(i32, i32)>,
    janitor: Janitor,
}

enum Phase {
    Serving,
    /// Until then.
    Kept(Instant),
    Ending(Ending),
}

/// What a wait brought.
struct Seen {
    owner_is_dead: bool,
    owner_speaks: bool,
    shims_speak: Vec<u32>,
}

impl Guardian {
    fn begin() -> io::Result<Guardian> {
        let [control, owner, stderr] = fd::take_standard_fds()?;
        wait::forget_inherited_signals();
        wait::prepare_signals()?;
        platform::set_process_name(c"pkit-guardian");
        child::adopt_orphans(Whose::OfEndedChildren);
        // Should somebody have stopped us, we are to see the death of the test all the same.
        platform::wake_with_parent();
        namespace::share_rights_no_further();
        let file_limit = child::raise_file_limit().map(|limit| limit.or_said(takeover::said_file_limit().as_deref()));
        // Asked once here, and known in every shim.
        procfs::knows_children();
        let socket = UnixStream::from(control);
        socket.set_nonblocking(true)?;
        Ok(Guardian {
            owner: Some(socket),
            watch: Some(OwnerWatch::begin(owner)?),
            stderr: Some(stderr.into()),
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            hello: None,
            shims: BTreeMap::new(),
            crowd: Crowd::new(),
            unsent: BTreeSet::new(),
            ports: BTreeMap::new(),
            networks: BTreeMap::new(),
            slates: BTreeMap::new(),
            binaries: BTreeMap::new(),
            file_limit,
            phase: Phase::Serving,
            spare: None,
            spare_due: None,
            is_sweeping: false,
            sweeps: 0,
            lost: Vec::new(),
            ledger: None,
            born: Vec::new(),
            janitor: Janitor::default(),
        })
    }

    fn run(&mut self) {
        loop {
            self.reap();
            if self.is_sweeping {
                self.sweep();
            }
            self.kill_overdue();
            self.end_what_was_kept();
            self.go_on_ending();
            if self.is_over() {
                return self.clear();
            }
            if self.wait().is_err() {
                return;
            }
        }
    }

    fn is_over(&self) -> bool {
        let has_work = self.is_sweeping || self.janitor.pid().is_some();
        self.shims.is_empty() && !has_work && !matches!(self.phase, Phase::Serving)
    }

    fn clear(&mut self) {
        self.ports.clear();
        if let Some(spare) = self.spare.take() {
            child::kill_child(spare.pid);
            child::wait_for(spare.pid);
        }
        if let Some(hello) = &self.hello {
            // Missing already, or not ours to remove: there is nobody left to be told.
            let _ = directory::remove_all(&hello.directory);
        }
        self.decline_rest();
    }

    fn wait(&mut self) -> io::Result<()> {
        let seen = self.poll()?;
        if seen.owner_speaks || seen.owner_is_dead {
            self.read_owner();
        }
        if seen.owner_is_dead {
            self.owner_died();
        }
        for id in seen.shims_speak {
            self.read_shim(id);
            // It may be room for more that it has.
            self.unsent.insert(id);
        }
        self.flush();
        self.write_down();
        self.fork_spare();
        self.send_janitor();
        if wait::is_asked_to_end() {
            self.end(true);
        }
        Ok(())
    }

    fn poll(&self) -> io::Result<Seen> {
        let mut fds: Vec<(BorrowedFd<'_>, For)> = Vec::with_capacity(3);
        let is_dead = || self.watch.as_ref().is_some_and(OwnerWatch::is_orphan);
        let watched = self.watch.as_ref().and_then(OwnerWatch::fd);
        fds.extend(watched.map(|fd| (fd, For::Reading)));
        fds.extend(self.owner.as_ref().map(|socket| (socket.as_fd(), direction(&self.outbox))));
        fds.extend(self.crowd.polled());
        // Whatever happens after this look comes with a signal, which ends the wait.
        let deadline = if is_dead() { Some(Instant::now()) } else { self.deadline() };
        let mut ready = wait::wait(&fds, deadline)?.into_iter();
        let is_told = watched.is_some() && ready.next() == Some(true);
        Ok(Seen {
            owner_is_dead: is_told || is_dead(),
            owner_speaks: self.owner.is_some() && ready.next() == Some(true),
            shims_speak: self.crowd.ready(&ready.collect::<Vec<_>>())?,
        })
    }

    fn deadline(&self) -> Option<Instant> {
        let overdue = self.shims.values().flat_map(|shim| [shim.overdue, shim.silent_until]).flatten();
        let ending = match &self.phase {
            Phase::Ending(ending) => ending.deadline(),
            Phase::Kept(until) => Some(*until),
            Phase::Serving => None,
        };
        let janitor = self.janitor.deadline();
        self.next_sweep().into_iter().chain(ending).chain(self.spare_due).chain(janitor).chain(overdue).min()
    }

    // The owner.

    fn read_owner(&mut self) {
        while let Some(socket) = &self.owner {
            match self.inbox.fill(socket) {
                Ok(Got::Some) => {}
                Ok(Got::All | Got::Nothing) => break,
                Ok(Got::End) | Err(_) => {
                    self.obey_all();
                    self.owner = None;
                    return self.owner_died();
                }
            }
        }
        self.obey_all();
    }

    fn obey_all(&mut self) {
        loop {
            match self.inbox.take() {
                Ok(Some(frame)) if matches!(self.phase, Phase::Serving) => self.obey(frame),
                Ok(Some(frame)) => self.decline(&frame),
                Ok(None) => return,
                // Somebody scribbled on the socket: what follows means nothing any more.
                Err(_) => {
                    self.owner = None;
                    return self.owner_died();
                }
            }
        }
    }

    fn obey(&mut self, frame: Frame) {
        if frame.id != 0 && !matches!(frame.kind, SPAWN | NETWORK | SLATE | BINARY | ATTEND) {
            return self.pass_on(frame);
        }
        match Order::from_frame(&frame) {
            Some(Order::Hello(hello)) => self.greet(hello),
            Some(Order::Hold(port)) => self.hold(port),
            Some(Order::Release(port)) => drop(self.ports.remove(&port)),
            Some(Order::Network) => self.networks.extend(self.inbox.attached().map(|network| (frame.id, network))),
            Some(Order::Slate) => self.slates.extend(self.inbox.attached().map(|slate| (frame.id, slate))),
            Some(Order::Binary) => self.binaries.extend(self.inbox.attached().map(|binary| (frame.id, binary))),
            Some(Order::Spawn(launch)) => self.spawn(&frame, &launch),
            Some(Order::Attend { token }) => {
                self.outbox.push(&Event::Answer { token, errno: 0, pid: 0 }.to_frame(frame.id));
            }
            Some(Order::Goodbye { failed }) => self.goodbye(failed),
            _ => {}
        }
    }

    /// Where the descriptor was lost on the way, the port is held by nobody; better than to hold another one for it.
    fn hold(&mut self, port: u64) {
        self.ports.extend(self.inbox.attached().map(|hold| (port, hold)));
    }

    fn pass_on(&mut self, frame: Frame) {
        match self.shims.get_mut(&frame.id) {
            Some(shim) if !shim.is_closed && !shim.has_said_all => {
                match Order::from_frame(&frame) {
                    Some(Order::Stop(plan)) => {
                        shim.wake();
                        shim.overdue = overdue(plan, Instant::now()).or(shim.overdue);
                    }
                    // The end has begun for all of them, and it is waited for that it knows.
                    Some(Order::Pardon { .. }) => shim.wake(),
                    _ => {}
                }
                shim.outbox.push(&frame);
                self.unsent.insert(frame.id);
            }
            // It ended in the meantime, and has said so.
            _ => {}
        }
    }

    // Shims.

    fn read_shim(&mut self, id: u32) {
        let Some(shim) = self.shims.get_mut(&id) else { return };
        loop {
            match shim.inbox.fill(&shim.socket) {
                Ok(Got::Some) => {}
                Ok(Got::All | Got::Nothing) => break,
                Ok(Got::End) | Err(_) => {
                    shim.is_closed = true;
                    // It is in there, and if it were not there would be nothing to do.
                    let _ = self.crowd.remove(&shim.socket);
                    break;
                }
            }
        }
        while let Ok(Some(frame)) = shim.inbox.take() {
            let event = Event::from_frame(&frame);
            shim.silent_until = None;
            if matches!(event, Some(Event::Gone { .. } | Event::Refused { .. })) {
                shim.has_said_all = true;
                self.unsent.insert(id);
            }
            if let Some(Event::Started { pid, .. }) = event {
                self.born.push((shim.pid, pid));
                self.spare_due = Some(Instant::now() + SPARE_DELAY);
            }
            if self.owner.is_some() {
                self.outbox.push(&frame);
            }
        }
        if shim.is_closed {
            self.forget_if_over(id);
        }
    }

    fn reap(&mut self) {
        strays::look_if_due();
        if !wait::has_child_ended() {
            return;
        }
        while let Reaped::Ended(pid, _) = child::reap() {
            self.spare.take_if(|spare| spare.pid == pid);
            if self.janitor.pid() == Some(pid) {
                self.janitor_ended();
            }
            let found = self.shims.iter_mut().find(|(_, shim)| shim.pid == pid);
            if let Some((id, shim)) = found {
                shim.is_reaped = true;
                let id = *id;
                self.forget_if_over(id);
            }
        }
    }

    /// A shim is over when it is reaped and all that it said was read.
    fn forget_if_over(&mut self, id: u32) {
        let is_over = self.shims.get(&id).is_some_and(|shim| shim.is_reaped && shim.is_closed);
        if !is_over {
            return;
        }
        let Some(shim) = self.shims.remove(&id) else { return };
        if matches!(self.phase, Phase::Serving) {
            self.note(|ledger| ledger.gone(shim.pid));
        } else {
            shim.tidy_up();
        }
        if shim.has_said_all {
            strays::has_ended(shim.pid);
        } else {
            strays::has_ended_early(shim.pid);
            self.is_sweeping = true;
            self.lost.push(id);
            self.sweep();
        }
    }

    /// A shim that does not answer, or not stop its service in time, is stuck. Without it the service gets SIGKILL,
    /// and what is left comes to us.
    fn kill_overdue(&mut self) {
        let now = Instant::now();
        self.janitor.kill_overdue(now);
        self.shims.values_mut().for_each(|shim| shim.kill_if_overdue(now));
    }

    fn flush(&mut self) {
        let is_broken = self.owner.as_ref().is_some_and(|socket| self.outbox.flush(socket).is_err());
        if is_broken {
            self.read_owner();
            self.owner_died();
        }
        self.flush_unsent();
    }

    fn flush_unsent(&mut self) {
        for id in std::mem::take(&mut self.unsent) {
            self.flush_shim(id);
        }
    }

    fn flush_shim(&mut self, id: u32) {
        let Some(shim) = self.shims.get_mut(&id).filter(|shim| !shim.is_closed) else { return };
        if shim.has_said_all {
            // It waits for this before it ends. Where the socket is closed already it does not.
            let _ = shim.socket.shutdown(Shutdown::Write);
        }
        if !shim.outbox.is_empty() {
            // A shim whose socket is broken has ended, and its end is read there. One that does not read for
            // megabytes is stopped by somebody: without it the service ends, and what is left comes to us.
            if shim.outbox.flush(&shim.socket).is_ok() && shim.outbox.len() > STUCK_BYTES {
                child::kill_child(shim.pid);
            }
        }
        let wants_room = !shim.outbox.is_empty();
        if shim.wants_room != wants_room {
            shim.wants_room = wants_room;
            // One that is not in the crowd would have been closed.
            let _ = self.crowd.wait_for_room(&shim.socket, id, wants_room);
        }
    }

    // The end.

    /// Begins to stop everything; `in_a_hurry` after a crash, where one limit holds for all together.
    fn end(&mut self, in_a_hurry: bool) {
        let crash = Duration::from_millis(self.hello.as_ref().map_or(0, |hello| hello.crash_ms));
        let limit = in_a_hurry.then(|| Instant::now() + crash);
        match &mut self.phase {
            Phase::Ending(ending) => ending.hurry(limit),
            Phase::Serving | Phase::Kept(_) => self.phase = Phase::Ending(Ending::new(limit)),
        }
        self.shims.values().for_each(Shim::wake);
    }

    fn go_on_ending(&mut self) {
        let Phase::Ending(ending) = &mut self.phase else { return };
        let now = Instant::now();
        if let Some(silent_until) = ending.begins_to_take_long(now) {
            self.shims.iter_mut().for_each(|(id, shim)| shim.rouse(*id, silent_until));
            self.unsent.extend(self.shims.keys());
        }
        // Ids grow with every start, so the last one is the newest: reverse order of start.
        let Some((id, shim)) = self.shims.iter_mut().next_back() else { return };
        if let Some(plan) = ending.order_for(*id, shim.stop, now) {
            shim.outbox.push(&Order::Stop(plan).to_frame(*id));
            self.unsent.insert(*id);
        }
        if ending.is_overdue(now) && !shim.is_reaped {
            // It is stopped or stuck. Without it the service gets SIGKILL, and what is left comes to us.
            child::kill_child(shim.pid);
            ending.has_killed();
        }
        self.flush_unsent();
    }
}

fn direction(outbox: &Outbox) -> For {
    if outbox.is_empty() { For::Reading } else { For::Both }
}
