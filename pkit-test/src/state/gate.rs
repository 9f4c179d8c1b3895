//! The turn of a process, among its own threads.
//!
//! The server keeps the changes of other processes back while one has its turn, and lets those of that process pass, so that
//! whoever changes something inside of a transaction does not wait for himself. The threads beside it would pass as well, and
//! could be quicker again and again. So they wait here, no longer than a turn may last. The gate is shut before the turn is asked
//! for, and when all who have passed it are through: what one of them has on its way could come right into the turn.
//!
//! ```text
//!            pass                          shut                               all are through    opened
//! open       through, and out again        -> shutting, for its thread        (none)             (none)
//! shutting   waits; its thread passes      waits; its thread has it once more -> shut            -> open
//! shut       waits; its thread passes      waits; its thread has it once more (none)             -> open
//! ```
//! Nobody waits for ever: who has waited for so long as a turn may last, or `shut` for as long as one is waited for, goes on.
//!
//! A fork has a gate of its own: the thread that had the turn is none of its threads, and would never open the old one.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ThreadId};

use super::own::{Here, Own};
use crate::config::{deadline_in, scaled};
use crate::limits::{TURN_LIMIT, TURN_PATIENCE};
use crate::sync::Monitor;

/// Open to all, or to one thread.
#[derive(Debug)]
pub(crate) struct Gate {
    of_process: Own<Leaf>,
}

#[derive(Debug, Default)]
struct Leaf {
    /// So that a change costs no lock where nobody has a turn.
    is_shut: AtomicBool,
    /// How many have passed and are not through yet.
    inside: AtomicUsize,
    holder: Monitor<Holder>,
}

#[derive(Debug, Default)]
struct Holder {
    thread: Option<ThreadId>,
    /// Which turn it is: one that was revoked must not open the gate for the next one.
    turn: u64,
}

/// Shut until it is dropped.
#[derive(Debug)]
pub(crate) struct Shut<'g> {
    leaf: &'g Leaf,
    /// `None` inside of a turn that the same thread has already.
    turn: Option<u64>,
    here: Here,
}

/// A change that has passed and is on its way.
#[derive(Debug)]
pub(crate) struct Passing<'g> {
    leaf: &'g Leaf,
    here: Here,
}

impl Gate {
    pub(crate) fn new() -> Gate {
        Gate { of_process: Own::new() }
    }

    /// From now on nobody passes but this thread.
    pub(crate) fn shut(&self) -> Shut<'_> {
        let leaf = self.leaf();
        let turn = leaf.take();
        leaf.wait_for_those_inside();
        Shut { leaf, turn, here: Here::now() }
    }

    /// Waits while another thread has the turn, or is about to get it. One that has it for too long has lost it.
    pub(crate) fn pass(&self) -> Passing<'_> {
        let leaf = self.leaf();
        let mut is_late = false;
        // Both in one order for all threads: either the gate is seen to be shut, or this one is seen to be inside.
        leaf.inside.fetch_add(1, Ordering::SeqCst);
        while !is_late && leaf.is_shut_for_me() {
            leaf.get_out();
            is_late = leaf.wait_until_open();
            leaf.inside.fetch_add(1, Ordering::SeqCst);
        }
        Passing { leaf, here: Here::now() }
    }

    fn leaf(&self) -> &Leaf {
        self.of_process.get(Leaf::default)
    }
}

impl Drop for Shut<'_> {
    fn drop(&mut self) {
        // In a fork another thread may have had the lock of it, which then nobody gives back.
        if let (true, Some(turn)) = (self.here.is_here(), self.turn) {
            self.leaf.open(turn);
        }
    }
}

impl Drop for Passing<'_> {
    fn drop(&mut self) {
        if self.here.is_here() {
            self.leaf.get_out();
        }
    }
}

impl Leaf {
    /// Waits until no other thread has it; `None` if this one has.
    fn take(&self) -> Option<u64> {
        let own = thread::current().id();
        let deadline = Some(deadline_in(scaled(TURN_PATIENCE)));
        let is_free = |holder: &mut Holder| holder.thread.is_none_or(|thread| thread == own).then_some(());
        // Whoever has it for so long has lost his turn by now.
        let _in_time_or_not = self.holder.wait_until(deadline, is_free);
        self.holder.change(|holder| {
            if holder.thread == Some(own) {
                return None;
            }
            self.is_shut.store(true, Ordering::SeqCst);
            *holder = Holder { thread: Some(own), turn: holder.turn + 1 };
            Some(holder.turn)
        })
    }

    /// Theirs are short, unless the server keeps them back for the turn of another process.
    fn wait_for_those_inside(&self) {
        let deadline = Some(deadline_in(scaled(TURN_PATIENCE)));
        let is_empty = |_: &mut Holder| (self.inside.load(Ordering::SeqCst) == 0).then_some(());
        let _in_time_or_not = self.holder.wait_until(deadline, is_empty);
    }

    fn is_shut_for_me(&self) -> bool {
        let own = thread::current().id();
        self.is_shut.load(Ordering::SeqCst)
            && self.holder.with(|holder| holder.thread.is_some_and(|thread| thread != own))
    }

    /// Whether that took too long.
    fn wait_until_open(&self) -> bool {
        let is_open = |holder: &mut Holder| holder.thread.is_none().then_some(());
        self.holder.wait_until(Some(deadline_in(scaled(TURN_LIMIT))), is_open).is_none()
    }

    fn get_out(&self) {
        let before = self.inside.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.is_shut.load(Ordering::SeqCst) {
            self.holder.wake();
        }
    }

    fn open(&self, turn: u64) {
        self.holder.change(|holder| {
            if holder.turn == turn {
                holder.thread = None;
                self.is_shut.store(false, Ordering::SeqCst);
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::sys::wait::eventually;

    #[test]
    fn lets_its_own_thread_pass_and_no_other() {
        let gate = Gate::new();
        let shut = gate.shut();
        drop(gate.pass());
        thread::scope(|scope| {
            let other = scope.spawn(|| drop(gate.pass()));
            assert!(gate.leaf().is_shut.load(Ordering::Acquire));
            drop(shut);
            other.join().unwrap();
        });
        assert!(!gate.leaf().is_shut.load(Ordering::Acquire));
    }

    #[test]
    fn is_not_shut_before_those_who_passed_are_through() {
        let gate = Gate::new();
        let is_through = AtomicBool::new(false);
        let passing = gate.pass();
        thread::scope(|scope| {
            let other = scope.spawn(|| {
                let _shut = gate.shut();
                assert!(is_through.load(Ordering::SeqCst), "somebody is inside");
            });
            eventually(|| gate.leaf().is_shut.load(Ordering::SeqCst));
            is_through.store(true, Ordering::SeqCst);
            drop(passing);
            other.join().unwrap();
        });
        assert_eq!(gate.leaf().inside.load(Ordering::SeqCst), 0);
    }

    #[test]
    fn a_turn_within_a_turn_does_not_open_it() {
        let gate = Gate::new();
        let outer = gate.shut();
        drop(gate.shut());
        assert!(gate.leaf().is_shut.load(Ordering::Acquire));
        drop(outer);
        assert!(!gate.leaf().is_shut.load(Ordering::Acquire));
    }

    /// Everybody passes, or shuts it, all the time: nobody is inside of somebody else's turn, and nobody waits for ever.
    #[test]
    fn nobody_is_inside_of_another_ones_turn() {
        let (gate, inside) = (Gate::new(), AtomicUsize::new(0));
        thread::scope(|scope| {
            for n in 0..4 {
                let (gate, inside) = (&gate, &inside);
                scope.spawn(move || {
                    for _ in 0..2000 {
                        if n == 0 {
                            let _shut = gate.shut();
                            assert_eq!(inside.load(Ordering::SeqCst), 0);
                        } else {
                            let began = Instant::now();
                            let _passing = gate.pass();
                            // One that stood still for so long may pass at any time.
                            let is_in_time = usize::from(began.elapsed() < TURN_LIMIT);
                            inside.fetch_add(is_in_time, Ordering::SeqCst);
                            inside.fetch_sub(is_in_time, Ordering::SeqCst);
                        }
                    }
                });
            }
        });
    }

    #[test]
    fn a_turn_that_was_revoked_does_not_end_the_next_one() {
        let gate = Gate::new();
        let revoked = gate.leaf().take().unwrap();
        gate.leaf().open(revoked);
        let current = gate.shut();
        gate.leaf().open(revoked);
        assert!(gate.leaf().is_shut.load(Ordering::Acquire));
        drop(current);
        assert!(!gate.leaf().is_shut.load(Ordering::Acquire));
    }
}
