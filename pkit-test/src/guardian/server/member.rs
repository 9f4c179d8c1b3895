//! What the guardian knows of one shim.

use std::os::unix::net::UnixStream;
use std::time::Instant;

use crate::guardian::protocol::{Launch, Order, StopPlan};
use crate::guardian::report::Account;
use crate::guardian::wire::{Inbox, Outbox};
use crate::output::LogFiles;
use crate::sys::child;

/// One shim, as its parent sees it.
pub(super) struct Shim {
    pub(super) pid: i32,
    pub(super) socket: UnixStream,
    pub(super) inbox: Inbox,
    pub(super) outbox: Outbox,
    pub(super) account: Account,
    pub(super) stop: StopPlan,
    /// It is there for another one: nobody keeps it, and nothing is told of it.
    pub(super) is_errand: bool,
    /// It said that nothing is left, or that nothing was started.
    pub(super) has_said_all: bool,
    pub(super) is_reaped: bool,
    pub(super) is_closed: bool,
    /// Something is left in the outbox, and the room for it is waited for.
    pub(super) wants_room: bool,
    /// When it has had its time to obey a stop: it is stopped itself, or stuck.
    pub(super) overdue: Option<Instant>,
    /// When it has had its time to say anything, since it was asked to.
    pub(super) silent_until: Option<Instant>,
}

impl Shim {
    pub(super) fn new(pid: i32, socket: UnixStream, launch: &Launch) -> Shim {
        Shim {
            pid,
            socket,
            inbox: Inbox::default(),
            outbox: Outbox::default(),
            account: Account { name: launch.name.clone(), log: launch.log.clone() },
            stop: launch.stop,
            is_errand: launch.is_errand,
            has_said_all: false,
            is_reaped: false,
            is_closed: false,
            wants_room: false,
            overdue: None,
            silent_until: None,
        }
    }

    /// Lets it go on if somebody has stopped it: it is to stop its service, and nobody else can do so as politely.
    pub(super) fn wake(&self) {
        if !self.is_reaped {
            child::wake(self.pid);
        }
    }

    /// Removes what nobody will read: the owner, who would have done so, is gone or about to go.
    pub(super) fn tidy_up(&self) {
        if self.is_errand {
            LogFiles::at(&self.account.log).remove();
        }
    }

    /// Wants to hear something of it until then.
    pub(super) fn rouse(&mut self, id: u32, silent_until: Instant) {
        if self.is_closed || self.has_said_all {
            return;
        }
        self.wake();
        self.outbox.push(&Order::Sync { token: 0 }.to_frame(id));
        self.silent_until = Some(silent_until);
    }

    /// A shim that does not answer, or not stop its service in time, is stuck. Without it the service gets SIGKILL,
    /// and what is left comes to us.
    pub(super) fn kill_if_overdue(&mut self, now: Instant) {
        let dues = [&mut self.overdue, &mut self.silent_until];
        let is_due = dues.into_iter().any(|due| due.take_if(|due| *due <= now).is_some());
        if is_due && !self.is_reaped {
            child::kill_child(self.pid);
        }
    }
}
