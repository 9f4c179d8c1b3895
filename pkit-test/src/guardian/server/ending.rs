//! Stopping everything, one service after the other.
//!
//! A shim that is stuck would have all its time before the next one has its turn. So where the end takes longer than an end
//! mostly does, all are asked at once whether they can do anything: those that are stuck are so beside each other.

use std::time::{Duration, Instant};

use crate::guardian::protocol::StopPlan;
use crate::limits::{KILL_LIMIT, REPLY_LIMIT, SHIM_MARGIN};

/// An end that takes no longer is not worth a question to everybody.
const LONG: Duration = Duration::from_millis(200);

/// Where the guardian is on its way to the end.
#[derive(Debug)]
pub(super) struct Ending {
    /// When SIGKILL is due for all that is left, after a crash.
    limit: Option<Instant>,
    current: Option<Current>,
    /// When it begins to take long.
    long_from: Option<Instant>,
}

#[derive(Debug)]
struct Current {
    id: u32,
    overdue: Instant,
}

impl Ending {
    pub(super) fn new(limit: Option<Instant>) -> Ending {
        Ending { limit, current: None, long_from: Some(Instant::now() + LONG) }
    }

    /// Nobody waits for us any more: from now on the limit of a crash holds.
    pub(super) fn hurry(&mut self, limit: Option<Instant>) {
        if self.limit.is_none() {
            self.limit = limit;
            // The one that is being stopped is told again, with less time.
            self.current = None;
        }
    }

    /// Once, when it does: until when everybody has to have said something.
    pub(super) fn begins_to_take_long(&mut self, now: Instant) -> Option<Instant> {
        self.long_from.take_if(|long_from| *long_from <= now)?;
        Some(self.limit.map_or(now + REPLY_LIMIT, |limit| limit + SHIM_MARGIN))
    }

    /// What the shim at hand is to be told, if it was not told yet.
    pub(super) fn order_for(&mut self, id: u32, plan: StopPlan, now: Instant) -> Option<StopPlan> {
        if self.current.as_ref().is_some_and(|current| current.id == id) {
            return None;
        }
        let left = self.limit.map(|limit| limit.saturating_duration_since(now));
        let grace_ms = left.map_or(plan.grace_ms, |left| plan.grace_ms.min(millis(left)));
        let plan = StopPlan { grace_ms, then_kill: true, ..plan };
        self.current = Some(Current { id, overdue: now + patience(plan) });
        Some(plan)
    }

    /// Whether the shim at hand has had its time.
    pub(super) fn is_overdue(&self, now: Instant) -> bool {
        self.current.as_ref().is_some_and(|current| current.overdue <= now)
    }

    /// The shim at hand was killed; what it leaves needs no more waiting.
    pub(super) fn has_killed(&mut self) {
        if let Some(current) = &mut self.current {
            current.overdue += Duration::from_secs(3600);
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.current.as_ref().map(|current| current.overdue).into_iter().chain(self.long_from).min()
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Until when a shim has to have stopped its service. One that only asks it to end has done so at once: whether the service
/// does is its own business, and one that does not runs on.
pub(super) fn overdue(plan: StopPlan, now: Instant) -> Option<Instant> {
    plan.then_kill.then(|| now + patience(plan))
}

/// How long a shim may take to stop a service by a plan.
pub(super) fn patience(plan: StopPlan) -> Duration {
    Duration::from_millis(plan.grace_ms) + KILL_LIMIT + SHIM_MARGIN
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_are_asked_once_and_only_if_it_takes_long() {
        let before = Instant::now();
        let mut ending = Ending::new(None);
        let now = Instant::now();
        assert_eq!(ending.begins_to_take_long(before), None);
        assert!(ending.deadline().is_some_and(|deadline| deadline <= now + 2 * LONG), "the question is not missed");
        let later = now + 2 * LONG;
        assert_eq!(ending.begins_to_take_long(later), Some(later + REPLY_LIMIT));
        assert_eq!(ending.begins_to_take_long(later), None);
    }

    #[test]
    fn whoever_only_asks_for_an_end_kills_nobody_for_not_ending() {
        let (now, kills) = (Instant::now(), StopPlan { signal: 15, grace_ms: 5, then_kill: true });
        assert_eq!(overdue(kills, now), Some(now + patience(kills)));
        assert_eq!(overdue(StopPlan { then_kill: false, ..kills }, now), None);
    }

    #[test]
    fn after_a_crash_their_time_is_that_of_the_crash() {
        let limit = Instant::now() + 1000 * LONG;
        let mut ending = Ending::new(Some(limit));
        assert_eq!(ending.begins_to_take_long(limit), Some(limit + SHIM_MARGIN));
    }
}
