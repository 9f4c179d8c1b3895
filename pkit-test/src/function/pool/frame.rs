//! What goes through the socket of a worker: an item and its answer, each in one piece.
//!
//! Both ends are the same binary, so that there are no versions, and numbers are as the machine has them. What comes from a
//! worker is read as if anybody could have written it, since anything of the user's runs there.

use crate::sys::likeness;

/// What a worker runs for an item: the pointer, the arguments, and room for the whole answer.
pub(super) type Routine = fn(Option<u64>, &[u8], &mut Vec<u8>);

/// An item: which code, whether there is a pointer, which, and how many bytes of arguments follow.
pub(super) const ITEM_BYTES: usize = 32;

/// An answer: its kind, and how many bytes follow.
pub(super) const ANSWER_BYTES: usize = 16;

/// What became of an item, as its worker says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Returned = 1,
    NotSerialized,
    TooLarge,
    NotUnderstood,
    Panicked,
}

/// The beginning of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ItemHead {
    /// Where the code is, as it travels.
    pub(super) routine: u64,
    pub(super) pointer: Option<u64>,
    pub(super) length: u64,
}

/// The beginning of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct AnswerHead {
    pub(super) kind: Kind,
    pub(super) length: u64,
}

impl ItemHead {
    pub(super) fn to_bytes(self) -> [u8; ITEM_BYTES] {
        let pointer = self.pointer.unwrap_or_default();
        joined([self.routine, u64::from(self.pointer.is_some()), pointer, self.length])
    }

    pub(super) fn from_bytes(bytes: &[u8; ITEM_BYTES]) -> ItemHead {
        let [routine, has_pointer, pointer, length] = parted(bytes);
        ItemHead { routine, pointer: (has_pointer == 1).then_some(pointer), length }
    }

    /// The code, where there is some.
    pub(super) fn code(&self) -> Option<Routine> {
        likeness::conjure(Some(self.routine))
    }
}

impl AnswerHead {
    pub(super) fn to_bytes(self) -> [u8; ANSWER_BYTES] {
        joined([self.kind as u64, self.length])
    }

    /// `None` of what is no answer.
    pub(super) fn from_bytes(bytes: &[u8; ANSWER_BYTES]) -> Option<AnswerHead> {
        let [kind, length] = parted(bytes);
        let kinds = [Kind::Returned, Kind::NotSerialized, Kind::TooLarge, Kind::NotUnderstood, Kind::Panicked];
        let kind = kinds.into_iter().find(|known| *known as u64 == kind)?;
        Some(AnswerHead { kind, length })
    }
}

fn joined<const COUNT: usize, const BYTES: usize>(numbers: [u64; COUNT]) -> [u8; BYTES] {
    let mut bytes = [0; BYTES];
    for (place, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        place.copy_from_slice(&number.to_ne_bytes());
    }
    bytes
}

fn parted<const COUNT: usize, const BYTES: usize>(bytes: &[u8; BYTES]) -> [u64; COUNT] {
    let mut numbers = [0; COUNT];
    for (number, place) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *number = u64::from_ne_bytes(place.try_into().expect("pieces of eight"));
    }
    numbers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_read_as_it_was_written() {
        for pointer in [None, Some(0), Some(u64::MAX)] {
            let head = ItemHead { routine: 7, pointer, length: u64::MAX };
            assert_eq!(ItemHead::from_bytes(&head.to_bytes()), head);
        }
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for kind in [Kind::Returned, Kind::NotSerialized, Kind::TooLarge, Kind::NotUnderstood, Kind::Panicked] {
            let head = AnswerHead { kind, length: 3 };
            assert_eq!(AnswerHead::from_bytes(&head.to_bytes()), Some(head));
        }
        for number in [0, 6, u64::MAX] {
            assert_eq!(AnswerHead::from_bytes(&joined([number, 0])), None);
        }
    }
}
