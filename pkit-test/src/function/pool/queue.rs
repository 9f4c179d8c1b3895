//! The items that no worker has begun with.
//!
//! Those of tickets wait in a bounded number: whoever brings one more waits for room. A map counts its own, and is never made
//! to wait here, since it is its reader who would have to make room.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::job::Job;
use crate::sync::lock;

pub(super) struct Queue {
    state: Mutex<State>,
    /// There is something to take.
    filled: Condvar,
    /// There is room for one more.
    freed: Condvar,
    /// How many items of tickets wait at most.
    most: usize,
}

struct State {
    jobs: VecDeque<Job>,
    /// How many of them are those of tickets.
    tickets: usize,
    is_closed: bool,
}

impl Queue {
    pub(super) fn new(most: usize) -> Queue {
        let state = State { jobs: VecDeque::new(), tickets: 0, is_closed: false };
        Queue { state: Mutex::new(state), filled: Condvar::new(), freed: Condvar::new(), most }
    }

    /// Puts an item of a ticket in as soon as there is room.
    pub(super) fn submit(&self, job: Job) {
        let mut state = lock(&self.state);
        while state.tickets >= self.most && !state.is_closed {
            state = waited(&self.freed, state);
        }
        state.tickets += 1;
        self.put(state, job, VecDeque::push_back);
    }

    /// Puts an item of a map in.
    pub(super) fn add(&self, job: Job) {
        self.put(lock(&self.state), job, VecDeque::push_back);
    }

    /// Puts an item in that is to be tried again, before all others.
    pub(super) fn put_back(&self, job: Job) {
        let mut state = lock(&self.state);
        state.tickets += usize::from(job.is_of_ticket);
        self.put(state, job, VecDeque::push_front);
    }

    /// In a queue that was closed it is dropped, and says so to whoever waits for it.
    fn put(&self, mut state: MutexGuard<'_, State>, job: Job, push: fn(&mut VecDeque<Job>, Job)) {
        if state.is_closed {
            drop(state);
            return drop(job);
        }
        push(&mut state.jobs, job);
        drop(state);
        self.filled.notify_one();
    }

    /// The next item, waited for; `None` when the queue was closed.
    pub(super) fn take(&self) -> Option<Job> {
        let mut state = lock(&self.state);
        while state.jobs.is_empty() && !state.is_closed {
            state = waited(&self.filled, state);
        }
        let job = state.jobs.pop_front()?;
        if job.is_of_ticket {
            state.tickets -= 1;
            drop(state);
            self.freed.notify_one();
        }
        Some(job)
    }

    /// Lets nothing begin any more.
    pub(super) fn close(&self) {
        let mut state = lock(&self.state);
        state.is_closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        self.filled.notify_all();
        self.freed.notify_all();
        drop(jobs);
    }

    pub(super) fn is_closed(&self) -> bool {
        lock(&self.state).is_closed
    }
}

fn waited<'a>(changed: &Condvar, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
    changed.wait(state).unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = lock(&self.state);
        let mut shown = f.debug_struct("Queue");
        shown.field("waiting", &state.jobs.len()).field("is_closed", &state.is_closed).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::thread;

    use super::super::job::Call;
    use super::*;
    use crate::sys::wait::eventually;

    fn job(number: u64, is_of_ticket: bool) -> Job {
        Call::of::<_, u8, _>(|n: u8| n).job(number, &1_u8, is_of_ticket).unwrap()
    }

    #[test]
    fn tickets_wait_for_room_and_maps_do_not() {
        let (queue, handed_in) = (Queue::new(2), AtomicUsize::new(0));
        thread::scope(|threads| {
            threads.spawn(|| {
                for number in 0..4 {
                    queue.submit(job(number, true));
                    handed_in.fetch_add(1, Ordering::Relaxed);
                }
            });
            eventually(|| handed_in.load(Ordering::Relaxed) == 2);
            (10..20).for_each(|number| queue.add(job(number, false)));
            assert_eq!(handed_in.load(Ordering::Relaxed), 2);
            let numbers: Vec<u64> = (0..14).map(|_| queue.take().unwrap().number).collect();
            assert_eq!((numbers.len(), &numbers[..3]), (14, &[0, 1, 10][..]));
            assert!([2, 3].iter().all(|late| numbers.contains(late)));
        });
    }

    #[test]
    fn what_is_put_back_comes_first() {
        let queue = Queue::new(1);
        queue.add(job(1, false));
        queue.put_back(job(0, false));
        assert_eq!((queue.take().unwrap().number, queue.take().unwrap().number), (0, 1));
    }

    #[test]
    fn a_closed_queue_breaks_its_promises_and_wakes_everybody() {
        let queue = Queue::new(1);
        let (waiting, late) = (job(0, true), job(1, true));
        let promises = [waiting.promise(), late.promise()];
        queue.submit(waiting);
        thread::scope(|threads| {
            threads.spawn(|| queue.submit(late));
            queue.close();
        });
        assert!(queue.take().is_none() && queue.is_closed());
        for promise in promises {
            assert!(promise.read::<u8>("work", 0, None).unwrap().unwrap_err().is_dropped());
        }
    }
}
