//! Whose listener answers at a port.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use crate::sys::diag::{Diag, Listener};
use crate::sys::procfs;

/// Whose listener answers at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// No listener yet.
    Nobody,
    /// A process of our tree, or anybody, if that was asked for.
    Ours(SocketAddr),
    /// Somebody else, alone or beside us.
    Foreign { pid: i32, command: String, addr: SocketAddr },
    /// Somebody whose descriptors we may not see: another user, a process that is not dumpable, the kernel.
    Unknown(SocketAddr),
}

/// Whose listeners a client of `addr` may end up at. Ours are those of `tree_root` and of everything below it;
/// with a root of 0 none are.
///
/// There may be several: other addresses that cover this one, and groups with `SO_REUSEPORT`, where the kernel picks
/// one at each connection. The worst of them counts: a foreign one, then an unknown one.
pub(crate) fn owner(diag: &Diag, addr: SocketAddr, tree_root: i32, any_owner: bool) -> io::Result<Owner> {
    let listeners = answering(diag, addr)?;
    match listeners.first() {
        None => Ok(Owner::Nobody),
        Some(first) if any_owner => Ok(Owner::Ours(first.addr)),
        Some(_) => match judge(&listeners, tree_root) {
            // A socket that was closed while we looked for its owner has none either: so look again.
            Owner::Unknown(_) => Ok(judge(&answering(diag, addr)?, tree_root)),
            known => Ok(known),
        },
    }
}

fn answering(diag: &Diag, addr: SocketAddr) -> io::Result<Vec<Listener>> {
    let mut listeners = diag.listeners(addr.port())?;
    listeners.retain(|listener| listener.answers(addr));
    Ok(listeners)
}

fn judge(listeners: &[Listener], tree_root: i32) -> Owner {
    let tree = Tree::holding(tree_root, listeners);
    let owners = listeners.iter().map(|listener| tree.owner_of(listener));
    owners.max_by_key(badness).unwrap_or(Owner::Nobody)
}

/// Where our tree listens, but for what answers at the addresses that were asked: what to say when it does not listen where
/// it should.
pub(crate) fn listens_elsewhere(diag: &Diag, tree_root: i32, asked: &[SocketAddr]) -> Vec<SocketAddr> {
    // This is for an error that exists already; it does not get another one.
    let mut listeners = diag.all_listeners().unwrap_or_default();
    listeners.retain(|listener| !asked.iter().any(|addr| listener.answers(*addr)));
    let tree = Tree::holding(tree_root, &listeners);
    let mut ours: Vec<_> = listeners.iter().filter(|listener| tree.holds(listener)).map(|found| found.addr).collect();
    ours.sort_unstable();
    ours.dedup();
    ours
}

fn badness(owner: &Owner) -> u8 {
    match owner {
        Owner::Nobody => 0,
        Owner::Ours(_) => 1,
        Owner::Unknown(_) => 2,
        Owner::Foreign { .. } => 3,
    }
}

/// A process tree, and which of some listeners it holds.
struct Tree {
    root: i32,
    processes: Vec<i32>,
    held: HashSet<u64>,
}

impl Tree {
    /// Looks no further than until all are found, which mostly is the first service, a child of the root itself.
    fn holding(root: i32, listeners: &[Listener]) -> Tree {
        let mut missing: HashSet<_> = listeners.iter().map(|listener| listener.inode).collect();
        let mut tree = Tree { root, processes: Vec::new(), held: HashSet::new() };
        tree.look_at(procfs::children_of_single(root).unwrap_or_default(), &mut missing);
        if !missing.is_empty() {
            tree.processes.clear();
            tree.look_at(std::iter::once(root).chain(procfs::descendants(root)), &mut missing);
        }
        tree
    }

    fn look_at(&mut self, processes: impl IntoIterator<Item = i32>, missing: &mut HashSet<u64>) {
        for pid in processes {
            self.processes.push(pid);
            if !missing.is_empty() {
                let sockets = procfs::socket_inodes(pid).unwrap_or_default();
                self.held.extend(sockets.into_iter().filter(|inode| missing.remove(inode)));
            }
        }
    }

    fn holds(&self, listener: &Listener) -> bool {
        self.held.contains(&listener.inode)
    }

    fn owner_of(&self, listener: &Listener) -> Owner {
        let addr = listener.addr;
        if self.holds(listener) {
            return Owner::Ours(addr);
        }
        match procfs::find_socket_owner(listener.inode, &self.processes) {
            // It was born after the tree was read.
            Some((pid, _)) if procfs::is_below(pid, self.root) => Owner::Ours(addr),
            Some((pid, command)) => Owner::Foreign { pid, command, addr },
            None => Owner::Unknown(addr),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_owners_are_judged_by_the_worst() {
        let at = "127.0.0.1:80".parse().unwrap();
        let foreign = Owner::Foreign { pid: 1, command: "init".into(), addr: at };
        let worst = |owners: [&Owner; 2]| owners.into_iter().max_by_key(|owner| badness(owner)).cloned();
        assert_eq!(worst([&Owner::Ours(at), &Owner::Unknown(at)]), Some(Owner::Unknown(at)));
        assert_eq!(worst([&foreign, &Owner::Unknown(at)]), Some(foreign.clone()));
        assert_eq!(worst([&foreign, &Owner::Ours(at)]), Some(foreign));
    }
}
