//! Who waits for an instance, in the order in which they came.
//!
//! Who wants it for itself waits until nobody has it, and whoever comes later waits behind: else it might wait for ever. There
//! is one who may go ahead: who has a lease already, and would keep the one from going on behind whom it waits.

use std::collections::VecDeque;

use super::{Client, Want};

#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) client: Client,
    pub(super) want: Want,
    /// What it was told last, and need not be told again.
    pub(super) told: String,
}

impl Queue {
    pub(super) fn push(&mut self, client: Client, want: Want, goes_ahead: bool) {
        let waiting = Waiting { client, want, told: String::new() };
        if goes_ahead { self.waiting.push_front(waiting) } else { self.waiting.push_back(waiting) }
    }

    pub(super) fn first(&self) -> Option<&Waiting> {
        self.waiting.front()
    }

    pub(super) fn take_first(&mut self) -> Option<Waiting> {
        self.waiting.pop_front()
    }

    pub(super) fn leave(&mut self, client: Client) {
        self.waiting.retain(|waiting| waiting.client != client);
    }

    /// Takes those out of it that this is true of.
    pub(super) fn take_all(&mut self, is_out: impl Fn(&Waiting) -> bool) -> Vec<Waiting> {
        let (out, rest) = std::mem::take(&mut self.waiting).into_iter().partition(is_out);
        self.waiting = rest;
        Vec::from_iter::<VecDeque<Waiting>>(out)
    }

    pub(super) fn each(&mut self) -> impl Iterator<Item = &mut Waiting> {
        self.waiting.iter_mut()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }
}
