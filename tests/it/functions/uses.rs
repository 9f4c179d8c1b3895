//! What a test and its guardian use, and what must not grow.

use std::fs;
use std::process;
use std::time::Instant;

use pkit_test_tests::child::wait_ms;
use pkit_test_tests::process::{children, fds, pids, stat, threads};

use crate::child::{HANG, wait_until};

/// How long two looks that see the same are apart.
const QUIET_MS: u32 = 20;

const MORE_MAPS: usize = 8;

/// Of the test and of its guardian, in this order.
#[derive(Debug, Clone)]
pub(super) struct Uses {
    descriptors: [usize; 2],
    threads: [usize; 2],
    maps: [usize; 2],
    children: [usize; 2],
}

impl Uses {
    /// When nothing comes and goes any more: a shim ends after what it had to say, and the next one has to be made. That one is
    /// there beside those of what runs, however long it takes a guardian to come to it.
    pub(super) fn settled(running: usize) -> Uses {
        let mut last = Uses::now();
        wait_until(|| {
            wait_ms(QUIET_MS);
            let now = Uses::now();
            let is_quiet = now.is_no_more_than(&last) && last.is_no_more_than(&now);
            last = now;
            is_quiet && last.children[1] == running + 1 && zombies() == 0
        });
        last
    }

    /// When it is no more than before, or at last: a leak stays.
    pub(super) fn settled_again(before: &Uses) -> Uses {
        let deadline = Instant::now() + HANG;
        loop {
            let now = Uses::now();
            if now.is_no_more_than(before) || Instant::now() >= deadline {
                return now;
            }
            wait_ms(QUIET_MS);
        }
    }

    /// Of maps there may be a few more: an allocator takes and gives them back as it likes, and hundreds would be a leak.
    pub(super) fn is_no_more_than(&self, before: &Uses) -> bool {
        let is_no_more =
            |now: [usize; 2], before: [usize; 2]| now.iter().zip(before).all(|(now, before)| *now <= before);
        is_no_more(self.descriptors, before.descriptors)
            && is_no_more(self.threads, before.threads)
            && is_no_more(self.children, before.children)
            && is_no_more(self.maps, before.maps.map(|maps| maps + MORE_MAPS))
    }

    fn now() -> Uses {
        let both = [process::id(), guardian()];
        Uses {
            descriptors: both.map(|pid| fds(pid).unwrap()),
            threads: both.map(|pid| threads(pid).unwrap()),
            maps: both.map(maps),
            children: both.map(|pid| children(pid).len()),
        }
    }
}

/// Pages that are nobody else's, of the test and of its guardian. What is shared counts differently as others come and go.
pub(super) fn memory_kb() -> [u64; 2] {
    [process::id(), guardian()].map(|pid| {
        let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        line.trim().strip_suffix("kB").unwrap().trim().parse().unwrap()
    })
}

fn guardian() -> u32 {
    let own = children(process::id());
    let [guardian] = own.as_slice() else { panic!("a test has one guardian, not {own:?}") };
    *guardian
}

fn maps(pid: u32) -> usize {
    fs::read_to_string(format!("/proc/{pid}/maps")).unwrap().lines().count()
}

fn zombies() -> usize {
    let own = [process::id(), guardian()];
    pids().into_iter().filter_map(stat).filter(|stat| stat.state == 'Z' && own.contains(&stat.ppid)).count()
}
