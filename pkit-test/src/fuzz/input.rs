//! Takes structured values out of the bytes of a fuzzer, so that a small change of the bytes is a small change of the values.

use std::borrow::Cow;

/// The bytes that are left.
#[derive(Debug, Clone, Copy)]
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Input<'a> {
        Input { rest: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next byte; zeros follow the end.
    pub(super) fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.rest.split_first() else { return 0 };
        self.rest = rest;
        *first
    }

    /// At most so many bytes.
    pub(super) fn bytes(&mut self, most: usize) -> &'a [u8] {
        let (head, rest) = self.rest.split_at(most.min(self.rest.len()));
        self.rest = rest;
        head
    }

    /// A line without its end; the last one is all that is left.
    pub(super) fn line(&mut self) -> Cow<'a, str> {
        let end = self.rest.iter().position(|byte| *byte == b'\n');
        let line = self.bytes(end.unwrap_or(self.rest.len()));
        self.byte();
        String::from_utf8_lossy(line)
    }

    pub(super) fn all(&mut self) -> &'a [u8] {
        self.bytes(usize::MAX)
    }

    /// The rest in portions. The first byte says how it is cut: 0 in single bytes, all else at places that depend on it.
    pub(super) fn portions(&mut self) -> Vec<&'a [u8]> {
        let seed = self.byte();
        let mut portions = Vec::new();
        let mut length = usize::from(seed);
        while !self.is_empty() {
            portions.push(self.bytes(1 + length));
            length = if seed == 0 { 0 } else { (length * 31 + 7) % 97 };
        }
        portions
    }
}

/// Text from any bytes.
pub(super) fn text(bytes: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(bytes)
}
