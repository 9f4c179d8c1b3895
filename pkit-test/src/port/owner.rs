//! Whose listener answers at a port.

use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;

use crate::sys::diag::{Diag, Listener};
use crate::sys::{procfs, strays};

/// How often is looked again where a socket was closed while its owner was looked for.
const LOOKS: u32 = 3;

/// Whose listener answers at a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Owner {
    /// No listener yet.
    Nobody,
    /// A process of our tree, or anybody, if that was asked for.
    Ours(SocketAddr),
    /// Somebody else, alone or beside us.
    Foreign { pid: i32, command: String, addr: SocketAddr },
    /// Somebody else of whom the user is all that we may know: all descriptors of our tree are known, and it is none of
    /// them.
    Hidden { uid: u32, addr: SocketAddr },
    /// Perhaps us: there is a process in our tree whose descriptors we may not see. It has become another user, or is not
    /// dumpable.
    Unknown(SocketAddr),
}

/// Whose listeners a client of `addr` may end up at. Ours are those of `tree_root` and of everything below it;
/// with a root of 0 none are.
///
/// There may be several: other addresses that cover this one, and groups with `SO_REUSEPORT`, where the kernel picks
/// one at each connection. The worst of them counts: a foreign one, then a hidden one, then an unknown one.
pub(crate) fn owner(diag: &Diag, addr: SocketAddr, tree_root: i32, any_owner: bool) -> io::Result<Owner> {
    for _ in 0..LOOKS {
        let listeners = answering(diag, addr)?;
        let verdict = match listeners.first() {
            None => return Ok(Owner::Nobody),
            Some(first) if any_owner => return Ok(Owner::Ours(first.addr)),
            Some(_) => judge(&listeners, tree_root),
        };
        // A socket that was closed while we looked for its owner has none either, and whoever has it now is another.
        let is_seen = !matches!(verdict, Owner::Hidden { .. } | Owner::Unknown(_));
        if is_seen || answering(diag, addr)? == listeners {
            return Ok(verdict);
        }
    }
    Ok(Owner::Nobody)
}

/// Who holds a socket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holds {
    /// A process of our tree.
    Ours,
    Foreign {
        pid: i32,
        command: String,
    },
    /// Nobody of our tree, all of whose descriptors can be seen, and nobody else who can be seen.
    Hidden,
    /// Somebody whose descriptors we may not see, perhaps of our tree.
    Unknown,
}

/// Who holds a socket of any kind, by its inode. With a root of 0 it is never us.
pub(crate) fn holder(inode: u64, tree_root: i32) -> Holds {
    Tree::holding(tree_root, std::iter::once(inode)).holder_of(inode)
}

fn answering(diag: &Diag, addr: SocketAddr) -> io::Result<Vec<Listener>> {
    let mut listeners = diag.listeners(addr.port())?;
    listeners.retain(|listener| listener.answers(addr));
    Ok(listeners)
}

fn judge(listeners: &[Listener], tree_root: i32) -> Owner {
    let tree = Tree::holding(tree_root, listeners.iter().map(|listener| listener.inode));
    let owners = listeners.iter().map(|listener| tree.owner_of(listener));
    owners.max_by_key(badness).unwrap_or(Owner::Nobody)
}

/// Where our tree listens, but for what answers at the addresses that were asked: what to say when it does not listen where
/// it should.
pub(crate) fn listens_elsewhere(diag: &Diag, tree_root: i32, asked: &[SocketAddr]) -> Vec<SocketAddr> {
    // This is for an error that exists already; it does not get another one.
    let listeners = diag.all_listeners().unwrap_or_default();
    let tree = Tree::holding(tree_root, listeners.iter().map(|listener| listener.inode));
    let is_asked = |listener: &Listener| asked.iter().any(|addr| listener.answers(*addr));
    let (here, mut ours): (Vec<_>, Vec<_>) =
        listeners.into_iter().filter(|found| tree.holds(found)).partition(is_asked);
    // The same port of another family is no other place.
    ours.retain(|found| here.iter().all(|known| known.addr.port() != found.addr.port()));
    let mut ours: Vec<_> = ours.into_iter().map(|found| found.addr).collect();
    ours.sort_unstable();
    ours.dedup();
    ours
}

/// The unix sockets at which our tree listens, for people.
pub(crate) fn unix_sockets(tree_root: i32) -> Vec<String> {
    let listeners = Diag::unix_listeners().unwrap_or_default();
    let tree = Tree::holding(tree_root, listeners.iter().map(|listener| listener.inode));
    let ours = listeners.iter().filter(|listener| tree.held.contains(&listener.inode));
    let mut names: Vec<_> = ours.map(|listener| socket_name(&listener.name)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A name of the abstract namespace begins with a zero. Zeros at the end are padding.
fn socket_name(name: &[u8]) -> String {
    let (sign, name) = name.strip_prefix(b"\0").map_or(("", name), |name| ("@", name));
    let end = name.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    format!("unix {sign}{}", String::from_utf8_lossy(&name[..end]).escape_debug())
}

fn badness(owner: &Owner) -> u8 {
    match owner {
        Owner::Nobody => 0,
        Owner::Ours(_) => 1,
        Owner::Unknown(_) => 2,
        Owner::Hidden { .. } => 3,
        Owner::Foreign { .. } => 4,
    }
}

/// A process tree, and which of some listeners it holds.
struct Tree {
    root: i32,
    processes: Vec<i32>,
    held: HashSet<u64>,
    /// Whether it has a process that may hold what we cannot see.
    is_opaque: bool,
}

impl Tree {
    /// Looks no further than until all are found, which mostly is the first service, a child of the root itself.
    fn holding(root: i32, inodes: impl Iterator<Item = u64>) -> Tree {
        let mut missing: HashSet<_> = inodes.collect();
        let mut tree = Tree { root, processes: Vec::new(), held: HashSet::new(), is_opaque: false };
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
            if missing.is_empty() {
                continue;
            }
            match procfs::socket_inodes(pid) {
                Ok(sockets) => self.held.extend(sockets.into_iter().filter(|inode| missing.remove(inode))),
                Err(error) => {
                    self.is_opaque |= error.kind() == io::ErrorKind::PermissionDenied && procfs::lives_on(pid);
                }
            }
        }
    }

    fn holds(&self, listener: &Listener) -> bool {
        self.held.contains(&listener.inode)
    }

    /// A thread may have descriptors of its own, which its process does not list. Nobody looks there first: it is rare, and
    /// takes a look at every thread.
    fn has_in_a_thread(&self, inode: u64) -> bool {
        self.processes.iter().any(|pid| procfs::socket_inodes_of_threads(*pid).contains(&inode))
    }

    fn owner_of(&self, listener: &Listener) -> Owner {
        let addr = listener.addr;
        match self.holder_of(listener.inode) {
            Holds::Ours => Owner::Ours(addr),
            Holds::Foreign { pid, command } => Owner::Foreign { pid, command, addr },
            Holds::Hidden => Owner::Hidden { uid: listener.uid, addr },
            Holds::Unknown => Owner::Unknown(addr),
        }
    }

    fn holder_of(&self, inode: u64) -> Holds {
        if self.held.contains(&inode) {
            return Holds::Ours;
        }
        if inode == 0 {
            // Of what was found by a connection nobody can say whose it is.
            return Holds::Unknown;
        }
        match procfs::find_socket_owner(inode, &self.processes) {
            // It was born after the tree was read, or has lost its parent where orphans do not come back.
            Some((pid, _)) if procfs::is_below(pid, self.root) || strays::is_marked_by(pid, self.root) => Holds::Ours,
            Some((pid, command)) => Holds::Foreign { pid, command },
            None if self.has_in_a_thread(inode) => Holds::Ours,
            None if self.is_opaque => Holds::Unknown,
            None => Holds::Hidden,
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
        let hidden = Owner::Hidden { uid: 0, addr: at };
        assert_eq!(worst([&hidden, &Owner::Ours(at)]), Some(hidden.clone()));
        assert_eq!(worst([&hidden, &Owner::Unknown(at)]), Some(hidden));
    }
}
