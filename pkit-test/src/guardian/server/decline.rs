//! Orders that come when the end has begun. Whoever gave one is told that nothing was done, and can turn to the next
//! guardian; one who hears nothing cannot know, and must not try again.

use std::net::Shutdown;

use super::Guardian;
use crate::guardian::protocol::{ATTEND, Event, SPAWN};
use crate::guardian::wire::{Frame, Got};

impl Guardian {
    pub(super) fn decline(&mut self, frame: &Frame) {
        if matches!(frame.kind, SPAWN | ATTEND) {
            self.outbox.push(&Event::Declined.to_frame(frame.id));
        }
    }

    /// Last of all: what comes after this cannot be sent any more, and what has come is declined.
    pub(super) fn decline_rest(&mut self) {
        let Some(owner) = &self.owner else { return };
        // Where this fails the other end is gone.
        let _ = owner.shutdown(Shutdown::Read);
        // A read ends also where a descriptor came along: only when it brings nothing that was all.
        while matches!(self.inbox.fill(owner), Ok(Got::Some | Got::All)) {}
        self.obey_all();
        if let Some(owner) = &self.owner {
            let _ = self.outbox.flush(owner);
        }
    }
}
