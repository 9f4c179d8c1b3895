//! Reads one message at a time from a socket; a small one by one system call.

use std::io;

/// What is read at a time, and kept between two messages.
pub(super) const KEPT_BYTES: usize = 64 * 1024;

/// What has come of the current message.
#[derive(Debug)]
pub(super) struct Inbox {
    bytes: Vec<u8>,
    filled: usize,
}

impl Inbox {
    pub(super) fn new() -> Inbox {
        Inbox { bytes: vec![0; KEPT_BYTES], filled: 0 }
    }

    /// Reads on until so many bytes of the message are there; `false` where the other side has ended before.
    ///
    /// What it is told may be a lie: memory grows with what has come, not with what was announced.
    pub(super) fn fill(
        &mut self,
        least: usize,
        mut read: impl FnMut(&mut [u8]) -> io::Result<usize>,
    ) -> io::Result<bool> {
        while self.filled < least {
            if self.filled == self.bytes.len() {
                self.bytes.resize(self.filled * 2, 0);
            }
            match read(&mut self.bytes[self.filled..]) {
                Ok(0) => return Ok(false),
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    /// All that has come of it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.filled]
    }

    /// Its beginning, which has come.
    pub(super) fn head<const BYTES: usize>(&self) -> &[u8; BYTES] {
        self.bytes.first_chunk().expect("it was filled so far")
    }

    /// Makes room for the next message.
    pub(super) fn clear(&mut self) {
        self.filled = 0;
        self.bytes.truncate(KEPT_BYTES);
        self.bytes.shrink_to(KEPT_BYTES);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn a_message_is_read_in_whatever_pieces_it_comes() {
        let message: Vec<u8> = (0..KEPT_BYTES * 3).map(|index| index as u8).collect();
        for piece in [1_usize, 7, 4096, KEPT_BYTES * 4] {
            let (mut inbox, mut rest) = (Inbox::new(), &message[..]);
            for least in [1, 16, message.len()] {
                let read = |room: &mut [u8]| {
                    let most = room.len().min(piece);
                    rest.read(&mut room[..most])
                };
                assert!(inbox.fill(least, read).unwrap());
            }
            assert_eq!(inbox.bytes(), message);
            inbox.clear();
            assert!(inbox.bytes.capacity() <= KEPT_BYTES && !inbox.fill(1, |_| Ok(0)).unwrap());
        }
    }
}
