//! The ports to choose from.
//!
//! Outside the kernel's range for outgoing connections no connection can take a number between our choice and the server's
//! bind. Below the range is where there mostly is room; where there is none, above it. Only if there is room on neither
//! side are the ports contested, and have to be bound to be kept.
//!
//! Ports that the administrator has set aside (`ip_local_reserved_ports`) are somebody's, and come last.

use std::io;
use std::ops::RangeInclusive;

use super::bind::Bind;
use super::{Port, PortTrouble, hold};
use crate::sys::socket;

/// Ports below are often somebody's by convention, so they are only chosen where there are no others.
const PREFERRED_FIRST: u16 = 10_240;
/// Ports below need rights that a server may not have, or are expected to.
const UNPRIVILEGED_FIRST: u16 = 1_024;
/// Fewer are no choice for tests that run side by side.
const ROOM_PORTS: usize = 1_000;

/// The ports to choose from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pool {
    pub(super) ports: RangeInclusive<u16>,
    /// Whether the kernel may give them away meanwhile.
    pub(super) contested: bool,
    /// Those of others.
    pub(super) reserved: Vec<RangeInclusive<u16>>,
}

/// What the system says about its ports, in the network namespace of the calling thread.
#[derive(Debug, Clone)]
pub(super) struct System {
    pub(super) ephemeral: RangeInclusive<u16>,
    /// The first that needs no rights.
    pub(super) unprivileged: u16,
    pub(super) reserved: Vec<RangeInclusive<u16>>,
}

impl System {
    pub(super) fn read() -> io::Result<System> {
        Ok(System {
            ephemeral: socket::ephemeral_ports()?,
            unprivileged: socket::first_unprivileged_port(),
            reserved: socket::reserved_ports(),
        })
    }
}

impl Pool {
    pub(super) fn of(system: System) -> Pool {
        let (first, last) = (*system.ephemeral.start(), *system.ephemeral.end());
        let lowest = UNPRIVILEGED_FIRST.max(system.unprivileged);
        let below = |limit: u16| limit.max(lowest)..=first.saturating_sub(1);
        let above = |limit: u16| limit.max(lowest).max(last.saturating_add(1))..=u16::MAX;
        let free = [below(PREFERRED_FIRST), above(PREFERRED_FIRST), below(1), above(1)];
        let has_room = |ports: &RangeInclusive<u16>| ports.len() >= ROOM_PORTS;
        let (ports, contested) = match free.into_iter().find(has_room) {
            Some(ports) => (ports, false),
            None => (first.max(lowest)..=u16::MAX, true),
        };
        Pool { ports, contested, reserved: system.reserved }
    }

    /// The first free port from a random one on, so that tests that run side by side do not stand in line.
    pub(super) fn take(&self, random: u64) -> Result<Port, PortTrouble> {
        let is_reserved = |number: &u16| self.reserved.iter().any(|range| range.contains(number));
        for (how, reserved) in
            [(Bind::Exclusively, false), (Bind::Shared, false), (Bind::Exclusively, true), (Bind::Shared, true)]
        {
            for number in self.from(random).filter(|number| is_reserved(number) == reserved) {
                if let Some(port) = self.try_take(number, how).map_err(PortTrouble::Io)? {
                    return Ok(port);
                }
            }
        }
        Err(PortTrouble::Exhausted { ports: self.ports.clone() })
    }

    /// All ports once, beginning anywhere.
    pub(super) fn from(&self, random: u64) -> impl Iterator<Item = u16> + use<> {
        let (first, count) = (*self.ports.start(), self.ports.len() as u64);
        (0..count).map(move |step| first + ((random % count + step) % count) as u16)
    }

    fn try_take(&self, number: u16, how: Bind) -> io::Result<Option<Port>> {
        // The name comes first: a test that holds the number may be about to bind it.
        let Some(hold) = hold(number)? else { return Ok(None) };
        let Some(guard) = how.free_guard(number)? else { return Ok(None) };
        if self.contested {
            socket::hold_along(&hold, &guard)?;
        }
        Ok(Some(Port { number, hold }))
    }
}
