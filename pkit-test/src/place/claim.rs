//! Waiting for fixed ports that other tests of ours have for now.
//!
//! Two tests that want the same two ports must not each take one and wait for the other one. So nobody waits while it
//! holds a part of what it wants: all the ports of a stack, also of stacks in it and of executors that wrap a spec, are
//! taken at one go or let go again. An order of the numbers alone would not do: who waits for the second port of an
//! order may keep a third test from the first one for a minute, and a spec that comes late keeps to no order. The
//! numbers are known before, as they are fixed, so that the rest of the stack need not wait to be placed.

use std::sync::Arc;
use std::time::Instant;

use super::{Place, port_error};
use crate::error::{Error, Kind, Result};
use crate::limits::PORT_RETRY;
use crate::port::{Holder, Note, Port, PortTrouble, circle};
use crate::record::Record;
use crate::sync::lock;

/// The wish of a place for its fixed ports.
#[derive(Debug)]
pub(crate) struct Claim {
    pub(crate) place: Arc<Place>,
    /// How long another test may keep them.
    pub(crate) deadline: Instant,
    /// The spec that says so, for errors.
    pub(crate) spec: String,
}

/// Meets all claims at one moment, or none of them: waits until all of the ports are free.
///
/// # Errors
///
/// When one of the ports is no test's, when two of the claims want the same one, or when one has waited too long.
pub(crate) fn hold_all(claims: &[Claim], is_over: &dyn Fn() -> bool) -> Result<()> {
    let mut wanted: Vec<(u16, &Claim)> =
        claims.iter().flat_map(|claim| claim.place.unheld().into_iter().map(move |number| (number, claim))).collect();
    wanted.sort_by_key(|(number, _)| *number);
    if let Some(pair) = wanted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(pair[1].1.rivals(pair[1].0, &pair[0].1.place));
    }
    let numbers: Vec<u16> = wanted.iter().map(|(number, _)| *number).collect();
    let claim_of = |number: u16| wanted.iter().find(|(wanted, _)| *wanted == number).expect("it was wanted").1;
    let is_patient = |number: u16| Instant::now() < claim_of(number).deadline && !is_over();
    let ports = wait_for_all(&numbers, is_patient).map_err(|(number, trouble)| claim_of(number).unmet(&trouble))?;
    ports.into_iter().try_for_each(|port| {
        let place = &claim_of(port.number()).place;
        lock(&place.notes).push(Note::holds(port.number(), own_test()));
        place.hold(port)
    })
}

fn own_test() -> u64 {
    Record::current().number()
}

/// The same for ports that were ours a moment ago.
pub(super) fn take_all(numbers: &[u16], deadline: Instant) -> Result<Vec<Port>> {
    wait_for_all(numbers, |_| Instant::now() < deadline).map_err(|(_, trouble)| port_error(&trouble))
}

fn wait_for_all(numbers: &[u16], is_patient: impl Fn(u16) -> bool) -> Result<Vec<Port>, (u16, PortTrouble)> {
    let mut wish: Option<(u16, Note)> = None;
    loop {
        match Port::fixed_all(numbers) {
            // Another test of ours has it now and will let it go.
            Err((number, PortTrouble::HeldByTest { .. })) if is_patient(number) => {
                if wish.as_ref().is_none_or(|(noted, _)| *noted != number) {
                    wish = Some((number, Note::wants(number, own_test())));
                }
                std::thread::park_timeout(PORT_RETRY);
            }
            Err((number, PortTrouble::HeldByTest { port, .. })) => {
                return Err((number, PortTrouble::HeldByTest { port, holder: Holder::of(port) }));
            }
            taken => return taken,
        }
    }
}

impl Claim {
    fn unmet(&self, trouble: &PortTrouble) -> Error {
        let error = port_error(trouble);
        let error = Error::new(error.kind(), format!("`{}` was not started: {error}", self.place.name))
            .fact("spec", &self.spec);
        let way = match trouble {
            PortTrouble::HeldByTest { port, .. } => circle(*port, own_test()),
            _ => None,
        };
        match way {
            Some(way) => told(error, &way),
            None => error,
        }
    }

    /// Another test lets a port go some time, a sibling does not: nobody has to wait to know that.
    fn rivals(&self, number: u16, holder: &Place) -> Error {
        let (name, holder) = (&self.place.name, &holder.name);
        let title = format!("`{name}` was not started: port {number} is that of `{holder}`, of the same stack");
        Error::new(Kind::PortTaken, title).fact("spec", &self.spec)
    }
}

/// Says that whoever holds the port waits for this test: neither of them could have gone on.
fn told(error: Error, way: &[u16]) -> Error {
    let steps: Vec<String> = way[1..].iter().map(|port| format!("waits for port {port}")).collect();
    let steps = steps.join(", whose test ");
    error
        .fact("circle", format!("that test {steps}, which this test holds"))
        .fact("hint", "start both in one stack, or in the same order everywhere")
}
