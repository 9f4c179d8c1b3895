//! Frames on a stream socket: a length, the service it is about, a kind, and a payload of fields.
//!
//! Both ends are the same binary, so there are no versions and no byte order; what arrives is checked all the same,
//! because a test may scribble over any descriptor it finds.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;

use crate::limits::FRAME_BYTES;
use crate::sys::fd;

const HEADER_BYTES: usize = 9;

/// How much is read at a time: nearly all messages are far smaller, and the buffer is cleared each time.
const BUFFER_BYTES: usize = 4 * 1024;

/// One message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    /// The service it is about; 0 for the guardian itself.
    pub(crate) id: u32,
    pub(crate) kind: u8,
    pub(crate) payload: Vec<u8>,
}

impl Frame {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let length = u32::try_from(self.payload.len()).expect("a frame is bounded by what the kernel takes");
        let mut bytes = Vec::with_capacity(HEADER_BYTES + self.payload.len());
        bytes.extend_from_slice(&length.to_ne_bytes());
        bytes.extend_from_slice(&self.id.to_ne_bytes());
        bytes.push(self.kind);
        bytes.extend_from_slice(&self.payload);
        bytes
    }
}

/// What arrived and was not taken yet.
///
/// A descriptor belongs to the frame that it came with, by the place in the stream: the kernel ends a read behind the
/// bytes that one came with, so that the last byte of that read is one of its frame. Who counted instead would give all
/// that follow to the wrong frames once one is lost, which happens where this process may not have more.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    bytes: Vec<u8>,
    /// How many bytes were taken out already.
    taken: u64,
    /// Each with a place in its frame.
    fds: VecDeque<(u64, OwnedFd)>,
    attached: Option<OwnedFd>,
}

/// What a look at a socket gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Got {
    /// There may be more.
    Some,
    /// All that there was.
    All,
    Nothing,
    End,
}

impl Inbox {
    /// Reads what there is.
    pub(crate) fn fill(&mut self, socket: &UnixStream) -> io::Result<Got> {
        let mut buffer = [0; BUFFER_BYTES];
        let mut fds = Vec::new();
        match fd::receive(socket, &mut buffer, &mut fds) {
            Ok(0) => Ok(Got::End),
            Ok(count) => {
                self.bytes.extend_from_slice(&buffer[..count]);
                let last = self.taken + self.bytes.len() as u64 - 1;
                // One frame comes with one, at most.
                self.fds.extend(fds.into_iter().next().map(|fd| (last, fd)));
                Ok(if count < BUFFER_BYTES { Got::All } else { Got::Some })
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => Ok(Got::Some),
                io::ErrorKind::WouldBlock => Ok(Got::Nothing),
                // The other end died with something of ours unread.
                io::ErrorKind::ConnectionReset => Ok(Got::End),
                _ => Err(error),
            },
        }
    }

    /// The next whole frame.
    pub(crate) fn take(&mut self) -> io::Result<Option<Frame>> {
        let Some((header, rest)) = self.bytes.split_at_checked(HEADER_BYTES) else { return Ok(None) };
        let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
        if length > FRAME_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a frame larger than any of ours"));
        }
        let Some(payload) = rest.get(..length) else { return Ok(None) };
        let id = u32::from_ne_bytes([header[4], header[5], header[6], header[7]]);
        let frame = Frame { id, kind: header[8], payload: payload.to_vec() };
        self.bytes.drain(..HEADER_BYTES + length);
        self.taken += (HEADER_BYTES + length) as u64;
        self.attached = None;
        while self.fds.front().is_some_and(|(place, _)| *place < self.taken) {
            self.attached = self.fds.pop_front().map(|(_, fd)| fd);
        }
        Ok(Some(frame))
    }

    /// The descriptor that came with the frame that was taken last; none as well where it was lost on the way.
    pub(crate) fn attached(&mut self) -> Option<OwnedFd> {
        self.attached.take()
    }
}

/// What waits to be sent on a socket that does not wait.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// In the order of their frames.
    attached: VecDeque<Attached>,
}

/// A descriptor, and where in an outbox the frame is that it goes with.
#[derive(Debug)]
struct Attached {
    begin: usize,
    length: usize,
    fd: OwnedFd,
}

impl Outbox {
    pub(crate) fn push(&mut self, frame: &Frame) {
        self.bytes.extend_from_slice(&frame.to_bytes());
    }

    /// The same with a descriptor, if there is one.
    pub(crate) fn push_with(&mut self, frame: &Frame, fd: Option<OwnedFd>) {
        let begin = self.bytes.len();
        self.push(frame);
        let length = self.bytes.len() - begin;
        self.attached.extend(fd.map(|fd| Attached { begin, length, fd }));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Sends as much as the socket takes now.
    pub(crate) fn flush(&mut self, socket: &UnixStream) -> io::Result<()> {
        while !self.bytes.is_empty() {
            match self.send_some(socket) {
                Ok(count) => self.has_sent(count),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Outbox {
    /// A frame with a descriptor goes alone: whoever reads it finds out by that whose the descriptor is.
    fn send_some(&self, socket: &UnixStream) -> io::Result<usize> {
        match self.attached.front() {
            Some(Attached { begin: 0, length, fd }) => fd::send_with_fd(socket, &self.bytes[..*length], fd.as_fd()),
            Some(next) => fd::send(socket, &self.bytes[..next.begin]),
            None => fd::send(socket, &self.bytes),
        }
    }

    fn has_sent(&mut self, count: usize) {
        self.bytes.drain(..count);
        // It went with the first of the bytes.
        if self.attached.front().is_some_and(|first| first.begin == 0) {
            self.attached.pop_front();
        }
        self.attached.iter_mut().for_each(|later| later.begin -= count);
    }
}

/// Sends a whole frame on a blocking socket, with a descriptor if there is one.
pub(crate) fn send(socket: &UnixStream, frame: &Frame, attached: Option<OwnedFd>) -> io::Result<()> {
    let bytes = frame.to_bytes();
    let mut sent = 0;
    let mut attached = attached;
    while sent < bytes.len() {
        let result = match &attached {
            Some(attached) => fd::send_with_fd(socket, &bytes[sent..], attached.as_fd()),
            None => fd::send(socket, &bytes[sent..]),
        };
        match result {
            Ok(count) => {
                sent += count;
                attached = None;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Puts fields into a payload.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    pub(crate) fn number(mut self, value: u64) -> Writer {
        self.bytes.extend_from_slice(&value.to_ne_bytes());
        self
    }

    pub(crate) fn text(self, value: &[u8]) -> Writer {
        let mut writer = self.number(value.len() as u64);
        writer.bytes.extend_from_slice(value);
        writer
    }

    pub(crate) fn list<T: AsRef<[u8]>>(self, values: &[T]) -> Writer {
        let writer = self.number(values.len() as u64);
        values.iter().fold(writer, |writer, value| writer.text(value.as_ref()))
    }

    pub(crate) fn done(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes the fields out again; `None` where the payload is too short.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes }
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let (head, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some(u64::from_ne_bytes(*head))
    }

    pub(crate) fn text(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        let (head, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        Some(head)
    }

    pub(crate) fn list(&mut self) -> Option<Vec<Vec<u8>>> {
        let length = self.number()?;
        (0..length).map(|_| self.text().map(<[u8]>::to_vec)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_went() {
        let payload = Writer::default().number(7).text(b"a b").list(&["x", "", "z"]).done();
        let mut reader = Reader::new(&payload);
        assert_eq!(reader.number(), Some(7));
        assert_eq!(reader.text(), Some(&b"a b"[..]));
        assert_eq!(reader.list(), Some(vec![b"x".to_vec(), Vec::new(), b"z".to_vec()]));
        assert_eq!(reader.number(), None);
    }

    #[test]
    fn lengths_that_lie_are_refused() {
        assert_eq!(Reader::new(&u64::MAX.to_ne_bytes()).text(), None);
        assert_eq!(Reader::new(&u64::MAX.to_ne_bytes()).list(), None);
        let mut inbox = Inbox { bytes: vec![0xff; 20], ..Inbox::default() };
        assert!(inbox.take().is_err());
    }

    #[test]
    fn frames_are_put_together_from_pieces_and_carry_descriptors() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let frame = Frame { id: 3, kind: 9, payload: vec![1; 100_000] };
        let sender = std::thread::spawn({
            let frame = frame.clone();
            move || send(&one, &frame, Some(std::fs::File::open("/dev/null").expect("null").into()))
        });
        let mut inbox = Inbox::default();
        let got = loop {
            if let Some(got) = inbox.take().expect("a sound stream") {
                break got;
            }
            assert_ne!(inbox.fill(&other).expect("readable"), Got::End);
        };
        sender.join().expect("no panic").expect("sent");
        assert_eq!(got, frame);
        assert!(inbox.attached().is_some());
    }

    fn null() -> OwnedFd {
        std::fs::File::open("/dev/null").expect("null").into()
    }

    /// The kinds of the frames that arrive, and whether a descriptor came with each.
    fn arrive(socket: &UnixStream, inbox: &mut Inbox, count: usize) -> Vec<(u8, bool)> {
        let mut got = Vec::new();
        while got.len() < count {
            match inbox.take().expect("a sound stream") {
                Some(frame) => got.push((frame.kind, inbox.attached().is_some())),
                None => assert_ne!(inbox.fill(socket).expect("readable"), Got::End),
            }
        }
        got
    }

    #[test]
    fn a_descriptor_stays_with_its_frame_however_frames_are_cut() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let frame = |kind, bytes| Frame { id: 1, kind, payload: vec![7; bytes] };
        let sizes = [0, 1, BUFFER_BYTES - HEADER_BYTES, BUFFER_BYTES, 3 * BUFFER_BYTES, 0, 5];
        let mut outbox = Outbox::default();
        for (kind, bytes) in (0..).zip(sizes) {
            outbox.push_with(&frame(kind, bytes), (kind % 2 == 1).then(null));
        }
        outbox.flush(&one).expect("there is room");
        assert!(outbox.is_empty());
        let got = arrive(&other, &mut Inbox::default(), sizes.len());
        assert_eq!(got, (0..).zip(sizes).map(|(kind, _)| (kind, kind % 2 == 1)).collect::<Vec<_>>());
    }

    #[test]
    fn a_descriptor_that_is_lost_is_not_replaced_by_that_of_another_frame() {
        let (one, other) = UnixStream::pair().expect("a pair");
        let mut inbox = Inbox::default();
        let frame = |kind| Frame { id: 1, kind, payload: Vec::new() };
        for kind in [1, 2] {
            send(&one, &frame(kind), Some(null())).expect("sent");
        }
        send(&one, &frame(3), None).expect("sent");
        send(&one, &frame(4), Some(null())).expect("sent");
        // As where this process may not have more: the kernel drops what there is no room for.
        assert_eq!(fd::receive_without_room(&other, &mut inbox.bytes).expect("readable"), HEADER_BYTES);
        assert_eq!(arrive(&other, &mut inbox, 4), [(1, false), (2, true), (3, false), (4, true)]);
    }
}
