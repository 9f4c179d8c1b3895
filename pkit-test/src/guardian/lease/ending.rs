//! A lease from its grant to its end, and what is said at that.

use std::collections::BTreeMap;
use std::fmt;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::config::{deadline_in, scaled};
use crate::error::{Error, Kind, Result};
use crate::guardian::broker::protocol::{Ask, Granted, Undone, Want, Word};
use crate::guardian::client::Guardian;
use crate::guardian::protocol::{Launch, Order};
use crate::guardian::wire::Frame;
use crate::limits::{FRAME_BYTES, KILL_LIMIT, REPLY_LIMIT};
use crate::sync::lock;

/// The right to use something that is shared, until it is released or whoever has it is gone.
pub(crate) struct Lease {
    guardian: Arc<Guardian>,
    name: String,
    is_exclusive: bool,
    slot: u32,
    number: u64,
    starts: u32,
    /// How many handles of this process stand on it.
    users: AtomicU32,
    has_failed: AtomicBool,
    changes: Mutex<Changes>,
    undo_limit: Mutex<Option<Duration>>,
    /// What became of the undo, once it is over.
    undone: Mutex<Option<Undone>>,
}

/// What whoever has it alone has made of it.
#[derive(Debug, Default)]
struct Changes {
    parts: BTreeMap<u32, Vec<u8>>,
    /// The vital runs, by their parts.
    vital: BTreeMap<u32, u32>,
    /// Something else runs in a part of it by now. Its old run, which is over, then says that it is to be made anew.
    is_spoiled: bool,
}

impl Lease {
    pub(super) fn new(guardian: Arc<Guardian>, granted: &Granted, want: &Want) -> Lease {
        Lease {
            guardian,
            name: want.name.clone(),
            is_exclusive: want.is_exclusive,
            slot: granted.slot,
            number: granted.number,
            starts: granted.starts,
            users: AtomicU32::new(0),
            has_failed: AtomicBool::new(false),
            changes: Mutex::default(),
            undo_limit: Mutex::new(None),
            undone: Mutex::new(None),
        }
    }

    /// The smallest number that no other lease of it has.
    pub(crate) fn slot(&self) -> u32 {
        self.slot
    }

    /// No other lease of the run has it.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How often it was started in this run, this time included.
    pub(crate) fn starts(&self) -> u32 {
        self.starts
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.is_exclusive
    }

    /// Whether it has been released, or the broker is gone.
    pub(crate) fn is_over(&self) -> bool {
        self.guardian.is_dead()
    }

    pub(crate) fn guardian(&self) -> &Arc<Guardian> {
        &self.guardian
    }

    /// One handle more stands on it.
    pub(crate) fn use_it(&self) {
        self.users.fetch_add(1, Ordering::Relaxed);
    }

    /// One handle less does. With the last one it ends: what is to be undone is, and nobody waits for that.
    pub(crate) fn leave_it(&self) {
        if self.users.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.end();
        }
    }

    /// Whoever has it has failed.
    pub(crate) fn note_failure(&self) {
        self.has_failed.store(true, Ordering::Relaxed);
    }

    /// A run of it whose end is the end of it.
    pub(crate) fn note_vital(&self, part: u32, id: u32) {
        lock(&self.changes).vital.insert(part, id);
    }

    /// Another run takes the place of one that it had, which is said so to those who come after.
    pub(crate) fn note_change(&self, part: u32, id: u32, published: Vec<u8>) {
        let mut changes = lock(&self.changes);
        if !changes.is_spoiled {
            changes.vital.entry(part).and_modify(|known| *known = id);
            changes.parts.insert(part, published);
        }
    }

    /// Something else takes the place of a run, for whoever has it now: those who come after get a new one of all of it.
    pub(crate) fn spoil(&self, part: u32, id: u32) {
        let mut changes = lock(&self.changes);
        changes.is_spoiled = true;
        changes.vital.insert(part, id);
    }

    /// What is to be run when it ends, however it ends, and how long that may take. The slate of a function goes with it, and
    /// the binary that has that function.
    ///
    /// # Errors
    ///
    /// When the broker is gone, or when it is more than anybody takes.
    pub(crate) fn undo(
        &self,
        launch: &Launch,
        limit: Duration,
        slate: Option<OwnedFd>,
        binary: Option<OwnedFd>,
    ) -> Result<()> {
        let launch = Order::Spawn(Box::new(launch.clone())).to_frame(0).payload;
        let limit_ms = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let undo = Ask::Undo { launch, limit_ms }.to_frame();
        if undo.payload.len() > FRAME_BYTES {
            return Err(Error::new(Kind::Spec, format!("what undoes a view of `{}` is given too much", self.name)));
        }
        let ahead = binary.map_or(Ok(()), |binary| self.guardian.send(&Ask::Binary.to_frame(), Some(binary)));
        ahead.and_then(|()| self.guardian.send(&undo, slate)).map_err(|_| {
            let title = format!("what undoes a view of `{}` was not passed on", self.name);
            Error::new(Kind::GuardianLost, title).fact("why", "the broker of the run was killed")
        })?;
        *lock(&self.undo_limit) = Some(limit);
        Ok(())
    }

    /// Ends it, and waits until what was to be undone is. Once: from then on it says what became of that.
    ///
    /// # Errors
    ///
    /// When the broker does not say in time.
    pub(crate) fn release(&self) -> Result<Undone> {
        let mut undone = lock(&self.undone);
        if let Some(undone) = &*undone {
            return Ok(undone.clone());
        }
        let limit = *lock(&self.undo_limit);
        let Some(limit) = limit.filter(|_| self.guardian.is_ours()) else {
            self.say_end();
            return Ok(undone.insert(Undone::Nothing).clone());
        };
        // What cannot be sent is heard of as the end.
        let _ = self.guardian.send(&self.released(), None);
        let deadline = deadline_in(limit.saturating_add(scaled(KILL_LIMIT) + REPLY_LIMIT));
        let word = self.said_in_the_end(deadline);
        let was_lost = self.guardian.is_dead();
        self.guardian.let_go();
        match word {
            Some(word) => Ok(undone.insert(word).clone()),
            None if was_lost => Ok(undone.insert(Undone::Lost).clone()),
            None => {
                let title =
                    format!("what was made in `{}` was not undone: the broker of the run does not answer", self.name);
                Err(Error::new(Kind::Timeout, title))
            }
        }
    }

    fn said_in_the_end(&self, deadline: Instant) -> Option<Undone> {
        loop {
            if let Word::Released(undone) = self.guardian.line().next(deadline)? {
                return Some(undone);
            }
        }
    }

    /// Ends it, and does not wait for anything.
    fn end(&self) {
        if !self.guardian.is_ours() {
            return;
        }
        let mut undone = lock(&self.undone);
        if undone.is_none() {
            self.say_end();
            *undone = Some(Undone::Nothing);
        }
    }

    fn say_end(&self) {
        // Without the broker there is nothing to end.
        let _ = self.guardian.send(&self.released(), None);
        self.guardian.let_go();
    }

    fn released(&self) -> Frame {
        let Changes { parts, vital, is_spoiled } = &*lock(&self.changes);
        let vital = self.is_exclusive.then(|| vital.values().copied().collect());
        let changed = if *is_spoiled { BTreeMap::new() } else { parts.clone() };
        let failed = self.has_failed.load(Ordering::Relaxed);
        Ask::Release { failed, changed: changed.into_iter().collect(), vital }.to_frame()
    }
}

/// Whatever became of its handles. A fork of the test has a copy, which ends nothing.
impl Drop for Lease {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for Lease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Lease");
        shown.field("name", &self.name).field("number", &self.number).field("slot", &self.slot).finish_non_exhaustive()
    }
}
