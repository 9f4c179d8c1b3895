//! What tests and the broker of a run say to each other, and what becomes of it in any order.

use super::input::Input;
use crate::guardian::broker::protocol::{Ask, Word};
use crate::guardian::broker::{LAST_KIND, played};
use crate::guardian::wire::Frame;

/// What can be read of a frame is written and read again as the same; and what is said is read to its end.
pub(super) fn said(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    while !input.is_empty() {
        let kind = input.byte() % LAST_KIND;
        let length = usize::from(input.byte()) * 4;
        let frame = Frame { id: 0, kind, payload: input.bytes(length).to_vec() };
        if let Some(ask) = Ask::from_frame(&frame) {
            assert_eq!(Ask::from_frame(&ask.to_frame()), Some(ask));
        }
        if let Some(word) = Word::from_frame(&frame) {
            assert_eq!(Word::from_frame(&word.to_frame()), Some(word));
        }
    }
}

/// Whatever happens, nobody has what another one has for itself, and in the end nothing is left.
pub(super) fn leases(bytes: &[u8]) {
    played(bytes);
}
