//! What stays up after the test, where a setting says so: the services, and nothing that was only there to ask about them.

use std::time::Instant;

use super::ending::patience;
use super::{Guardian, Phase};
use crate::guardian::protocol::Order;

impl Guardian {
    pub(super) fn keep(&mut self) {
        self.phase = Phase::Kept;
        self.owner = None;
        self.owner_pidfd = None;
        for (id, shim) in self.shims.iter_mut().filter(|(_, shim)| shim.is_errand && !shim.is_closed) {
            shim.outbox.push(&Order::Stop(shim.stop).to_frame(*id));
            shim.overdue = Some(Instant::now() + patience(shim.stop));
            self.unsent.insert(*id);
        }
        self.flush_unsent();
    }
}
