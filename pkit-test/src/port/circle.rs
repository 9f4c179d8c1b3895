//! Tests that wait for each other's ports, for people.
//!
//! Who holds one fixed port and waits for another may keep a second test waiting that does the same the other way round.
//! Neither can be made to let go: its server runs. Nor can it be known before the deadline, as a handle may be dropped on
//! another thread at any moment. But what each of them holds and wants is written where all can read it: in names of the
//! kind that hold the ports, gone with whoever has them. So the error at the deadline can say what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::OwnedFd;

use crate::sys::child::own_pid;
use crate::sys::{procfs, socket};

const HOLDS: &str = "pkit-test-holds-";
const WANTS: &str = "pkit-test-wants-";

/// A test: its process, and its number in that.
type Test = (i32, u64);

/// What a test says of a port, as long as this lives.
#[derive(Debug)]
pub(crate) struct Note {
    _name: Option<OwnedFd>,
}

impl Note {
    pub(crate) fn holds(port: u16, test: u64) -> Note {
        Note::new(HOLDS, port, test)
    }

    pub(crate) fn wants(port: u16, test: u64) -> Note {
        Note::new(WANTS, port, test)
    }

    fn new(verb: &str, port: u16, test: u64) -> Note {
        // It is for people: without it nothing but a sentence is missing.
        Note { _name: socket::hold_name(&format!("{verb}{port}-{}-{test}", own_pid())).ok() }
    }
}

/// The ports on the way from one that is waited for back to one that this test holds, if there is such a way: who holds the
/// first waits for the second, and so on.
pub(crate) fn circle(port: u16, test: u64) -> Option<Vec<u16>> {
    let holders: BTreeMap<u16, Test> = noted(HOLDS).into_iter().collect();
    let mut wishes = BTreeMap::<Test, Vec<u16>>::new();
    noted(WANTS).into_iter().for_each(|(port, test)| wishes.entry(test).or_default().push(port));
    way_back(port, (own_pid(), test), &holders, &wishes)
}

fn way_back(
    port: u16,
    own: Test,
    holders: &BTreeMap<u16, Test>,
    wishes: &BTreeMap<Test, Vec<u16>>,
) -> Option<Vec<u16>> {
    let mut seen = BTreeSet::from([port]);
    let mut ways = vec![vec![port]];
    while let Some(way) = ways.pop() {
        let holder = holders.get(way.last()?);
        if holder == Some(&own) {
            return Some(way);
        }
        let wanted = holder.and_then(|holder| wishes.get(holder)).into_iter().flatten();
        let further = wanted.filter(|wanted| seen.insert(**wanted)).map(|wanted| [&way[..], &[*wanted]].concat());
        ways.extend(further.collect::<Vec<_>>());
    }
    None
}

fn noted(verb: &str) -> Vec<(u16, Test)> {
    let read = |name: &str| {
        let mut parts = name.strip_prefix(verb)?.split('-');
        Some((parts.next()?.parse().ok()?, (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?)))
    };
    procfs::abstract_sockets(verb).iter().filter_map(|(name, _)| read(name)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn way(holders: &[(u16, u64)], wishes: &[(u64, u16)]) -> Option<Vec<u16>> {
        let holders = holders.iter().map(|(port, test)| (*port, (1, *test))).collect();
        let wishes = wishes.iter().map(|(test, port)| ((1, *test), vec![*port])).collect();
        way_back(10, (1, 0), &holders, &wishes)
    }

    #[test]
    fn a_circle_of_any_length_is_found() {
        assert_eq!(way(&[(10, 1), (20, 0)], &[(1, 20), (0, 10)]), Some(vec![10, 20]));
        assert_eq!(way(&[(10, 1), (20, 2), (30, 0)], &[(1, 20), (2, 30), (0, 10)]), Some(vec![10, 20, 30]));
    }

    #[test]
    fn what_is_no_circle_is_none() {
        assert_eq!(way(&[], &[(0, 10)]), None);
        assert_eq!(way(&[(10, 1), (20, 0)], &[(0, 10)]), None);
        assert_eq!(way(&[(10, 1), (20, 2)], &[(1, 20), (0, 10)]), None);
        // One that does not go through this test.
        assert_eq!(way(&[(10, 1), (20, 2), (30, 1)], &[(1, 20), (2, 30), (0, 10)]), None);
    }

    #[test]
    fn notes_are_read_as_long_as_they_live() {
        let has = |verb, port| noted(verb).contains(&(port, (own_pid(), 7)));
        let (holds, wants) = (Note::holds(1, 7), Note::wants(2, 7));
        assert!(has(HOLDS, 1) && has(WANTS, 2) && !has(HOLDS, 2));
        drop((holds, wants));
        // A child that another test is just starting has a copy until its exec.
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while has(HOLDS, 1) || has(WANTS, 2) {
            assert!(std::time::Instant::now() < deadline, "they stay");
            std::thread::yield_now();
        }
    }
}
