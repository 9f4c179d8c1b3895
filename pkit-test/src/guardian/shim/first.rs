//! A shim that has nothing to run yet.

use std::os::fd::{AsFd, OwnedFd};

use super::Birth;
use crate::guardian::protocol::{Launch, Order};
use crate::guardian::wire::{Got, Inbox};
use crate::sys::strays::Whose;
use crate::sys::wait::{self, For};
use crate::sys::{child, fresh};

/// Waits for something to run; `None` when the guardian goes before there is. What a function is given comes ahead.
pub(super) fn first_order(birth: &Birth, inbox: &mut Inbox) -> Option<(u32, Launch, [Option<OwnedFd>; 2])> {
    let socket = &birth.socket;
    let (mut slate, mut binary) = (None, None);
    child::adopt_orphans(Whose::All);
    loop {
        if wait::is_asked_to_end() || is_lost(birth.guardian) {
            return None;
        }
        if let Some(frame) = inbox.take().ok()? {
            match Order::from_frame(&frame)? {
                Order::Slate => slate = inbox.attached(),
                Order::Binary => binary = inbox.attached(),
                Order::Spawn(launch) => return Some((frame.id, *launch, [slate, binary])),
                _ => return None,
            }
            continue;
        }
        match inbox.fill(socket).ok()? {
            Got::Some | Got::All => {}
            Got::End => return None,
            Got::Nothing => {
                fresh::prepare();
                drop(wait::wait(&[(socket.as_fd(), For::Reading)], None).ok()?);
            }
        }
    }
}

/// Whether it is gone. The end of its socket says the same; but not while another fork of the guardian, which somebody has stopped
/// before it could let go of it, still holds that.
pub(super) fn is_lost(guardian: Option<i32>) -> bool {
    guardian.is_some_and(|guardian| guardian != child::parent_pid())
}
