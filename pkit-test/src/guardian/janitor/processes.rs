//! Whom a janitor ends: processes that a registry names, and that provably are what it names.
//!
//! An id may be another process's by now. So a pidfd is opened first, then `/proc` is asked about the id, and the signal goes to the
//! pidfd: if the process that was asked about is not the one behind it, that one is dead, and the signal reaches nobody. Where
//! there are no pidfds nobody is ended.
//!
//! What proves that a process is one of ours:
//! - it is the leader: its id, and its start time;
//! - it is in the session of a leader that lives, which therefore still is that session;
//! - it holds a pipe that the shim had the other end of: the kernel does not give the number of a pipe to another one that soon.
//!
//! A daemon that has left the session and closed its streams, and whose shim is dead, has nothing that proves anything.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Instant;

use nix::errno::Errno;

use crate::guardian::registry::{Registry, Service};
use crate::signal::Signal;
use crate::sys::held::Identity;
use crate::sys::{child, fd, platform, procfs};

/// How often all processes are looked through: some fork while others die.
const ROUNDS: usize = 50;

/// What became of the processes that a registry names.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// None is left. Those were ended.
    Ended(Vec<i32>),
    /// Somebody still has them, or they cannot be ended.
    Left,
}

/// Ends what is left of a run, unless its guardian or a shim lives.
pub(super) fn end(registry: &Registry, deadline: Instant) -> Fate {
    if !registry.is_of_now() {
        return Fate::Ended(Vec::new());
    }
    // The lock is free, and yet they live: where a filesystem locks for each mount of it alone.
    if registry.guardian.into_iter().chain(registry.test).any(Identity::is_alive) {
        return Fate::Left;
    }
    let shims: Vec<Identity> =
        registry.services.values().map(|service| service.shim).filter(|shim| shim.is_alive()).collect();
    if !shims.is_empty() {
        shims.into_iter().for_each(wake);
        return Fate::Left;
    }
    end_all(&Heirs::of(registry.services.values()), deadline)
}

/// Ends what was left by shims that are dead, beside others that live. Returns who was ended.
pub(super) fn end_abandoned(registry: &Registry, deadline: Instant) -> Vec<i32> {
    if !registry.is_of_now() {
        return Vec::new();
    }
    let abandoned = registry.services.values().filter(|service| !service.shim.is_alive());
    match end_all(&Heirs::of(abandoned), deadline) {
        Fate::Ended(pids) => pids,
        Fate::Left => Vec::new(),
    }
}

/// A shim that somebody has stopped does not see that its guardian is gone. Awake, it stops its service in its own way.
fn wake(shim: Identity) {
    let Ok(process) = platform::pidfd_open(shim.pid) else { return };
    if shim.is_alive() {
        // One that has ended meanwhile needs no waking.
        let _ = platform::pidfd_signal(&process, Signal::Cont.number());
    }
}

fn end_all(heirs: &Heirs, deadline: Instant) -> Fate {
    let mut ended = Vec::new();
    for _ in 0..ROUNDS {
        // Where somebody cannot be held nobody can be ended.
        let Ok(found) = heirs.find() else { return Fate::Left };
        if found.is_empty() {
            return Fate::Ended(ended);
        }
        for (pid, process) in &found {
            if platform::pidfd_signal(process, Signal::Kill.number()).is_err_and(|error| !is_gone(&error)) {
                return Fate::Left;
            }
            if !ended.contains(pid) {
                ended.push(*pid);
            }
        }
        // All are signalled before the first one is waited for: they die beside each other.
        if !found.iter().all(|(_, process)| fd::is_readable_until(process.as_fd(), deadline)) {
            return Fate::Left;
        }
    }
    Fate::Left
}

fn is_gone(error: &io::Error) -> bool {
    error.raw_os_error() == Some(Errno::ESRCH as i32)
}

/// By what the processes of services are known.
#[derive(Debug)]
struct Heirs {
    /// By their id, which is that of their session as well.
    leaders: HashMap<i32, Identity>,
    /// With the start of the service that it belongs to.
    pipes: HashMap<u64, u64>,
}

impl Heirs {
    fn of<'a>(services: impl Iterator<Item = &'a Service>) -> Heirs {
        let mut heirs = Heirs { leaders: HashMap::new(), pipes: HashMap::new() };
        for service in services {
            heirs.leaders.insert(service.leader.pid, service.leader);
            heirs.pipes.extend(service.pipes.iter().map(|pipe| (*pipe, service.leader.birth)));
        }
        heirs
    }

    /// All that are left, each held by a pidfd.
    fn find(&self) -> io::Result<Vec<(i32, OwnedFd)>> {
        if self.leaders.is_empty() {
            return Ok(Vec::new());
        }
        let others = procfs::processes().filter(|pid| *pid != child::own_pid() && self.include(*pid));
        others.filter_map(|pid| self.hold(pid).map(|held| Some((pid, held?))).transpose()).collect()
    }

    /// The process that has that id, if it still is the one that was found.
    fn hold(&self, pid: i32) -> io::Result<Option<OwnedFd>> {
        match platform::pidfd_open(pid) {
            Ok(process) => Ok(Some(process).filter(|_| self.include(pid))),
            Err(error) if is_gone(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn include(&self, pid: i32) -> bool {
        let Some(process) = Identity::of(pid) else { return false };
        self.leaders.get(&pid) == Some(&process) || self.is_in_session(process) || self.holds_pipe(process)
    }

    /// The session is asked for first: as long as the leader lives after that, it was its session.
    fn is_in_session(&self, process: Identity) -> bool {
        let session = procfs::session(process.pid).and_then(|session| self.leaders.get(&session));
        session.is_some_and(|leader| leader.is_alive())
    }

    /// Nobody is older than whom it descends from.
    fn holds_pipe(&self, process: Identity) -> bool {
        let is_ours = |pipe: &u64| self.pipes.get(pipe).is_some_and(|since| process.birth >= *since);
        !self.pipes.is_empty() && procfs::pipe_inodes(process.pid).iter().any(is_ours)
    }
}
