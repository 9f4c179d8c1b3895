//! Bytes that come at the end and are taken from the beginning.

/// How much room is kept where nothing is.
const KEPT_BYTES: usize = 4096;

#[derive(Debug, Default)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    /// Those before it were taken: moving the others each time would take as long as there are many.
    begin: usize,
}

impl Buffer {
    pub(super) fn add(&mut self, bytes: &[u8]) {
        if self.begin > self.bytes.len() / 2 {
            self.bytes.drain(..self.begin);
            self.begin = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[self.begin..]
    }

    pub(super) fn is_empty(&self) -> bool {
        self.begin == self.bytes.len()
    }

    pub(super) fn take(&mut self, count: usize) {
        self.begin += count;
        if self.is_empty() {
            self.begin = 0;
            self.bytes.clear();
            self.bytes.shrink_to(KEPT_BYTES);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_taken_is_gone_and_what_is_added_is_behind_the_rest() {
        let mut buffer = Buffer::default();
        buffer.add(b"one two");
        buffer.take(4);
        buffer.add(b" three");
        assert_eq!(buffer.bytes(), b"two three");
        buffer.take(9);
        assert!(buffer.is_empty() && buffer.begin == 0);
        buffer.add(&[0; 2 * KEPT_BYTES]);
        buffer.take(2 * KEPT_BYTES);
        assert!(buffer.bytes.capacity() <= KEPT_BYTES);
    }
}
