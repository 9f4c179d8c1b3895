//! Processes and threads that take ports at the same time, of two users, for as long as `PKIT_RACE_SECONDS` says.

use std::collections::BTreeMap;
use std::thread;

use nix::unistd::Uid;

use crate::nested::{Ended, victim};

/// Each has four threads.
const PROCESSES: usize = 3;

/// A port, and when it was whose.
type Holds = BTreeMap<u16, Vec<(i128, i128)>>;

#[test]
fn no_two_ever_have_the_same_port() {
    let victims: Vec<_> = (0..PROCESSES).map(|_| victim("ports::races").with("slow")).collect();
    let mut holds = Holds::new();
    thread::scope(|threads| {
        let run = |at: usize| {
            let victim = &victims[at];
            let as_nobody = at == 0 && Uid::effective().is_root();
            threads.spawn(move || if as_nobody { victim.run_as_nobody() } else { victim.run_uncaptured() })
        };
        let runs: Vec<_> = (0..PROCESSES).map(run).collect();
        runs.into_iter().for_each(|run| note(&run.join().unwrap(), &mut holds));
    });
    assert!(holds.len() > 10, "{holds:?}");
    for (port, times) in &mut holds {
        times.sort_unstable();
        let is_alone = times.windows(2).all(|pair| pair[0].1 < pair[1].0);
        assert!(is_alone, "two had port {port} at the same time: {times:?}");
    }
}

fn note(ended: &Ended, holds: &mut Holds) {
    assert!(ended.status.success(), "{}{}", ended.stdout, ended.stderr);
    let lines = ended.stdout.lines().filter_map(|line| line.split_once("held "));
    for (_, line) in lines {
        let words: Vec<i128> = line.split(' ').map(|word| word.parse().unwrap()).collect();
        holds.entry(words[0] as u16).or_default().push((words[1], words[2]));
    }
}
