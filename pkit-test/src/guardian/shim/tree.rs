//! Signals to the service of this shim, and to all that descends from it.

use std::collections::HashSet;
use std::io;

use nix::errno::Errno;

use crate::signal::Signal;
use crate::sys::held::Held;
use crate::sys::{child, procfs};

/// How many times a tree is walked that grows while it is walked.
const WALKS: usize = 20;

/// How far up a descendant looks for us.
const DEPTH: usize = 1000;

/// Signals the leader, or where it has ended and its descendants are the service, those nearest to us.
pub(super) fn signal(leader: Option<i32>, number: i32) -> io::Result<()> {
    let targets = leader.map_or_else(child::own_children, |leader| vec![leader]);
    if targets.is_empty() {
        return Err(Errno::ESRCH.into());
    }
    targets.into_iter().try_for_each(|target| child::signal(target, number))
}

/// Stops every process of the tree where it stands.
pub(super) fn pause() -> io::Result<()> {
    signal_all(Signal::Stop)
}

/// Lets every process of the tree go on.
pub(super) fn resume() -> io::Result<()> {
    signal_all(Signal::Cont)
}

/// Walks until a walk meets nobody new: a process may fork between the look and the signal.
fn signal_all(signal: Signal) -> io::Result<()> {
    let mut met = HashSet::new();
    for _ in 0..WALKS {
        let new: Vec<i32> = procfs::descendants(child::own_pid()).into_iter().filter(|pid| met.insert(*pid)).collect();
        if new.is_empty() {
            break;
        }
        for pid in new {
            signal_descendant(pid, signal)?;
        }
    }
    if met.is_empty() { Err(Errno::ESRCH.into()) } else { Ok(()) }
}

/// Signals a process that is not our child, safely: it is held first and cannot change its meaning, and only then do we
/// ask whether it is one of ours.
fn signal_descendant(pid: i32, signal: Signal) -> io::Result<()> {
    match Held::of(pid) {
        Some(process) if descends_from_us(pid) => process.signal(signal.number()),
        _ => Ok(()),
    }
}

fn descends_from_us(pid: i32) -> bool {
    let own = child::own_pid();
    let ancestors = std::iter::successors(procfs::parent(pid), |pid| procfs::parent(*pid));
    ancestors.take(DEPTH).take_while(|pid| *pid > 0).any(|pid| pid == own)
}
