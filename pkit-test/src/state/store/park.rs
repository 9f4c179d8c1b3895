//! What cannot be answered yet: requests that are parked, each under what it waits for, first come first served.
//!
//! ```text
//!             asked, and answered     let on by                     its time          its link closes    its session is gone
//! Turn        nobody has it (1)       whoever has it ends it (1)    Late              forgotten          forgotten
//! a change    nobody else has a turn  as above; it is done then     (has none)        never done         never done
//! Next        there is a change       a change of what is watched   Late              its watch ends     its watch ends
//! Wait        it is as wanted         a value of that key that is   Late              forgotten          forgotten
//! Barrier     it is the last one      the last one                  Late; broken (2)  broken (2)         broken (2, 3)
//! Latch       nothing is left         the last that is counted      Late              forgotten          forgotten
//! Semaphore   a permit is free        a permit that comes back      Late (4)          forgotten          forgotten
//! Queue       there is an item (5)    an item; the close (5)        Late (4)          forgotten          forgotten
//! Step        the step is open        being let on; its opening     Late              lost (6)           lost (6)
//! Gathering   so many stand there     the one who was missing       Late              forgotten          forgotten
//! ```
//! (1) Turns and changes stand in one line: when a turn ends, what comes before the next one is done.
//! (2) For the others who wait, with its name and the reason.
//! (3) Also if it does not wait but takes part; and for all who come later, until somebody else takes its place.
//! (4) At once, where it is to be now or never.
//! (5) `Closed` once it is closed and nothing can come any more: no item, and no lease that could bring one back.
//! (6) Whoever waits for it there in vain hears so.
//!
//! Nothing is looked at that the event at hand cannot let on: each thing has a line of its own, and of a line only the first.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use super::super::protocol::{Key, Request};
use super::sessions::LinkId;

#[derive(Debug, Default)]
pub(super) struct Parking {
    /// In the order of coming. None is empty.
    lots: HashMap<Lot, BTreeMap<u64, LinkId>>,
    /// At most one of a link.
    waiting: HashMap<LinkId, Waiting>,
    /// Of those with the same one, who came first is first.
    deadlines: BTreeMap<(Instant, u64), LinkId>,
    came: u64,
}

/// What is waited for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Lot {
    /// A turn, or the end of somebody else's.
    Turn,
    Next(LinkId),
    /// A value as somebody wants it.
    Wait(Key),
    Barrier(Arc<str>),
    Latch(Arc<str>),
    Semaphore(Arc<str>),
    Queue(Arc<str>),
    /// Who waits here *stands* at it.
    Step {
        name: Arc<str>,
        step: Arc<str>,
    },
    /// Until so many stand there. Each number is a lot: one who comes makes one number full.
    Gathering {
        name: Arc<str>,
        step: Arc<str>,
        count: u64,
    },
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) lot: Lot,
    pub(super) request: Request,
    /// `None`: as long as it takes.
    pub(super) deadline: Option<Instant>,
    came: u64,
}

impl Parking {
    pub(super) fn park(&mut self, link: LinkId, lot: Lot, request: Request, deadline: Option<Instant>) {
        self.came += 1;
        self.lots.entry(lot.clone()).or_default().insert(self.came, link);
        self.deadlines.extend(deadline.map(|deadline| ((deadline, self.came), link)));
        self.waiting.insert(link, Waiting { lot, request, deadline, came: self.came });
    }

    /// It waits no more, whatever the reason.
    pub(super) fn withdraw(&mut self, link: LinkId) -> Option<Waiting> {
        let waiting = self.waiting.remove(&link)?;
        if let Some(deadline) = waiting.deadline {
            self.deadlines.remove(&(deadline, waiting.came));
        }
        let lot = self.lots.get_mut(&waiting.lot).expect("who waits is in a lot");
        lot.remove(&waiting.came);
        if lot.is_empty() {
            self.lots.remove(&waiting.lot);
        }
        Some(waiting)
    }

    pub(super) fn get(&self, link: LinkId) -> Option<&Waiting> {
        self.waiting.get(&link)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn first(&self, lot: &Lot) -> Option<LinkId> {
        self.all(lot).next()
    }

    pub(super) fn all(&self, lot: &Lot) -> impl Iterator<Item = LinkId> {
        self.lots.get(lot).into_iter().flat_map(|lot| lot.values().copied())
    }

    pub(super) fn len(&self, lot: &Lot) -> u64 {
        self.lots.get(lot).map_or(0, |lot| lot.len() as u64)
    }

    /// How many there are; and everything that is said of them more than once is the same.
    #[cfg(test)]
    pub(super) fn count(&self) -> usize {
        let in_lots: usize = self.lots.values().map(BTreeMap::len).sum();
        assert_eq!(in_lots, self.waiting.len());
        assert!(self.lots.values().all(|lot| !lot.is_empty()));
        assert_eq!(self.deadlines.len(), self.waiting.values().filter(|waiting| waiting.deadline.is_some()).count());
        in_lots
    }

    /// Who is the next whose time is over, and when.
    pub(super) fn deadline(&self) -> Option<(Instant, LinkId)> {
        self.deadlines.first_key_value().map(|((deadline, _), link)| (*deadline, *link))
    }
}
