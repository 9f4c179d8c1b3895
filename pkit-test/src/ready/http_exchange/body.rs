//! The body of an answer, out of whatever portions it comes in.
//!
//! ```text
//!             bytes                      end of the stream
//! Counted     -> Counted, or Done        within the body
//! UntilEnd    -> UntilEnd                Done
//! Size        -> Size, Chunk or Done     within the body
//! Chunk       -> Chunk, or ChunkEnd      within the body
//! ChunkEnd    -> Size                    within the body
//! Done        (ignored)                  Done
//! ```

use super::{Trouble, shown};

/// How to know where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
    UntilEnd,
}

/// No size of a chunk needs more digits, and nobody uses the words that may follow it.
const SIZE_LINE_BYTES: usize = 1024;

#[derive(Debug)]
enum State {
    Counted { left: u64, of: u64 },
    UntilEnd,
    Size { line: Vec<u8> },
    Chunk { left: u64 },
    ChunkEnd,
    Done,
}

/// What has come of a body.
#[derive(Debug)]
pub(super) struct Decoder {
    state: State,
    body: Vec<u8>,
}

impl Decoder {
    pub(super) fn new(framing: Framing) -> Decoder {
        let state = match framing {
            Framing::Length(0) => State::Done,
            Framing::Length(of) => State::Counted { left: of, of },
            Framing::Chunked => State::Size { line: Vec::new() },
            Framing::UntilEnd => State::UntilEnd,
        };
        Decoder { state, body: Vec::new() }
    }

    /// Takes what came. What follows the end is no part of it.
    pub(super) fn feed(&mut self, mut bytes: &[u8]) -> Result<(), Trouble> {
        while !bytes.is_empty() && !self.is_done() {
            let taken = self.take(bytes)?;
            bytes = &bytes[taken..];
        }
        Ok(())
    }

    pub(super) fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    pub(super) fn body(&self) -> &[u8] {
        &self.body
    }

    pub(super) fn into_body(self) -> Vec<u8> {
        self.body
    }

    /// The stream has come to its end.
    pub(super) fn end(&self) -> Result<(), Trouble> {
        match self.state {
            State::UntilEnd | State::Done => Ok(()),
            State::Counted { of, .. } => Err(Trouble::ClosedInBody { got: self.body.len(), of: Some(of) }),
            _ => Err(Trouble::ClosedInBody { got: self.body.len(), of: None }),
        }
    }

    /// Takes as much as belongs to the state, at least one byte.
    fn take(&mut self, bytes: &[u8]) -> Result<usize, Trouble> {
        match &mut self.state {
            State::UntilEnd => {
                self.body.extend_from_slice(bytes);
                Ok(bytes.len())
            }
            State::Counted { left, .. } | State::Chunk { left } => {
                let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                *left -= taken as u64;
                self.body.extend_from_slice(&bytes[..taken]);
                self.state_after_data();
                Ok(taken)
            }
            State::Size { line } => {
                let taken = bytes.iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |at| at + 1);
                line.extend_from_slice(&bytes[..taken.min(SIZE_LINE_BYTES + 1)]);
                self.state_after_size()?;
                Ok(taken)
            }
            State::ChunkEnd => self.take_line_end(bytes[0]).map(|()| 1),
            State::Done => Ok(bytes.len()),
        }
    }

    fn state_after_data(&mut self) {
        match self.state {
            State::Counted { left: 0, .. } => self.state = State::Done,
            State::Chunk { left: 0 } => self.state = State::ChunkEnd,
            _ => {}
        }
    }

    /// Behind the last chunk, of size 0, trailers may follow. Nobody has asked for them.
    fn state_after_size(&mut self) -> Result<(), Trouble> {
        let State::Size { line } = &self.state else { return Ok(()) };
        if line.len() > SIZE_LINE_BYTES {
            return Err(no_size(line));
        }
        if line.ends_with(b"\n") {
            self.state = match size(line).ok_or_else(|| no_size(line))? {
                0 => State::Done,
                left => State::Chunk { left },
            };
        }
        Ok(())
    }

    fn take_line_end(&mut self, byte: u8) -> Result<(), Trouble> {
        match byte {
            b'\r' => Ok(()),
            b'\n' => {
                self.state = State::Size { line: Vec::new() };
                Ok(())
            }
            _ => Err(Trouble::Framing("a chunk is longer than its size".to_owned())),
        }
    }
}

/// `1a;name=value`
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.split(|byte| *byte == b';').next()?.trim_ascii();
    let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok().filter(|_| is_number)
}

fn no_size(line: &[u8]) -> Trouble {
    Trouble::Framing(format!("no size of a chunk: {}", shown(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The body, whatever portions it comes in.
    fn decoded(framing: Framing, bytes: &[u8]) -> String {
        let of = |portion: usize| {
            let mut decoder = Decoder::new(framing);
            let fed = bytes.chunks(portion).try_for_each(|bytes| decoder.feed(bytes));
            let end = fed.and_then(|()| decoder.end());
            end.map_or_else(|trouble| trouble.to_string(), |()| String::from_utf8_lossy(decoder.body()).into_owned())
        };
        let whole = of(bytes.len().max(1));
        for portion in 1..bytes.len() {
            assert_eq!(of(portion), whole, "portions of {portion}");
        }
        whole
    }

    #[test]
    fn a_body_ends_where_its_framing_says() {
        assert_eq!(decoded(Framing::UntilEnd, b"all of it"), "all of it");
        assert_eq!(decoded(Framing::Length(3), b"abcdef"), "abc");
        assert_eq!(decoded(Framing::Length(0), b"abcdef"), "");
        assert_eq!(
            decoded(Framing::Chunked, b"3\r\nabc\r\nA;x=\"y\"\r\n0123456789\r\n0\r\nT: x\r\n\r\nmore"),
            "abc0123456789"
        );
        assert_eq!(decoded(Framing::Chunked, b"2\nok\n0\n\n"), "ok");
    }

    #[test]
    fn what_ends_before_that_is_told() {
        let closed = "closed the connection within the body, after";
        assert_eq!(decoded(Framing::Length(9), b"abc"), format!("{closed} 3 of 9 bytes"));
        assert_eq!(decoded(Framing::Chunked, b""), format!("{closed} 0 bytes"));
        assert_eq!(decoded(Framing::Chunked, b"3\r\nab"), format!("{closed} 2 bytes"));
        assert_eq!(decoded(Framing::Chunked, b"2\r\nab"), format!("{closed} 2 bytes"));
        assert_eq!(decoded(Framing::Chunked, b"2\r\nab\r\n"), format!("{closed} 2 bytes"));
    }

    #[test]
    fn what_makes_no_sense_is_told() {
        let garbage = "answered garbage:";
        assert_eq!(decoded(Framing::Chunked, b"\r\n"), format!("{garbage} no size of a chunk: \"\\r\\n\""));
        assert_eq!(decoded(Framing::Chunked, b"-1\r\n"), format!("{garbage} no size of a chunk: \"-1\\r\\n\""));
        assert_eq!(decoded(Framing::Chunked, b"+1\r\n"), format!("{garbage} no size of a chunk: \"+1\\r\\n\""));
        assert_eq!(decoded(Framing::Chunked, b"1\r\nab\r\n"), format!("{garbage} a chunk is longer than its size"));
        let huge = decoded(Framing::Chunked, b"fffffffffffffffff\r\n");
        assert!(huge.starts_with(&format!("{garbage} no size of a chunk: ")), "{huge}");
        let endless = decoded(Framing::Chunked, &[b'1'; SIZE_LINE_BYTES + 1]);
        assert!(endless.starts_with(&format!("{garbage} no size of a chunk: ")), "{endless}");
        assert_eq!(
            decoded(Framing::Chunked, b"ffffffffffffffff\r\nx"),
            "closed the connection within the body, after 1 bytes"
        );
    }
}
