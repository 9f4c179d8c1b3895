//! The two languages that a server understands. The first byte of a link tells which one is spoken on it.

use crate::state::json;
use crate::state::protocol::{Refusal, Reply, Request};
use crate::state::wire::{self, FRAME_BYTES, HEAD_BYTES, PROTOCOL};

#[derive(Debug)]
pub(super) enum Dialect {
    /// Frames, of which the first one is a greeting.
    Frames { has_greeted: bool },
    /// A line of JSON each.
    Json {
        /// So much of what waits has no end of a line in it.
        searched: usize,
    },
}

/// What was said on a link.
#[derive(Debug, PartialEq)]
pub(super) enum Asked {
    Request(Request),
    /// It is answered by this, and goes on.
    Mistake(Refusal),
    /// It is answered by this, and nothing that comes behind it can be understood.
    LastMistake(Refusal),
}

impl Dialect {
    pub(super) fn of(first: u8) -> Dialect {
        match first {
            b'{' | b' ' | b'\t' | b'\r' | b'\n' => Dialect::Json { searched: 0 },
            _ => Dialect::Frames { has_greeted: false },
        }
    }

    /// What these bytes say, and how many of them say it. `None` where that has not come whole. `is_all`: no more will.
    pub(super) fn next(&mut self, bytes: &[u8], is_all: bool) -> Option<(Asked, usize)> {
        match self {
            Dialect::Frames { has_greeted } => next_frame(bytes, has_greeted),
            Dialect::Json { searched } => next_line(bytes, is_all, searched),
        }
    }

    /// Adds an answer.
    pub(super) fn write(&self, request: Option<&Request>, reply: &Reply, to: &mut Vec<u8>) {
        match self {
            Dialect::Frames { .. } => write_frame(reply, to),
            Dialect::Json { .. } => {
                to.extend(json::reply(request, reply).into_bytes());
                to.push(b'\n');
            }
        }
    }
}

fn next_frame(bytes: &[u8], has_greeted: &mut bool) -> Option<(Asked, usize)> {
    let length = match wire::frame_length(bytes) {
        Ok(length) => length?,
        Err(bytes) => return Some((Asked::LastMistake(too_large(bytes)), HEAD_BYTES)),
    };
    let body = bytes.get(HEAD_BYTES..length)?;
    let asked = if std::mem::replace(has_greeted, true) { request(body) } else { greeting(body) };
    Some((asked, length))
}

fn request(body: &[u8]) -> Asked {
    match wire::read(body) {
        Some(Request::Hello { .. }) => malformed("a second greeting"),
        Some(request) => Asked::Request(request),
        None => malformed("a frame that is no request"),
    }
}

fn greeting(body: &[u8]) -> Asked {
    match wire::version(body) {
        Some(PROTOCOL) => {}
        Some(_) => return Asked::LastMistake(Refusal::OtherProtocol(PROTOCOL)),
        None => return malformed("no greeting at first"),
    }
    wire::read(body).map_or_else(|| malformed("no whole greeting"), Asked::Request)
}

fn malformed(why: &str) -> Asked {
    Asked::LastMistake(Refusal::Malformed(why.to_owned()))
}

fn write_frame(reply: &Reply, to: &mut Vec<u8>) {
    if let Err(bytes) = wire::append(to, reply) {
        wire::append(to, &Reply::Refused(too_large(bytes))).expect("it is a few bytes");
    }
}

fn too_large(bytes: u64) -> Refusal {
    Refusal::TooLarge { bytes, limit: FRAME_BYTES as u64 }
}

fn next_line(bytes: &[u8], is_all: bool, searched: &mut usize) -> Option<(Asked, usize)> {
    let mut begin = 0;
    loop {
        let rest = &bytes[begin..];
        let known = std::mem::take(searched).min(rest.len());
        let end = rest[known..].iter().position(|byte| *byte == b'\n').map(|end| known + end);
        let line = match end {
            Some(end) => &rest[..end],
            None if rest.len() > FRAME_BYTES => {
                return Some((Asked::LastMistake(too_large(rest.len() as u64)), bytes.len()));
            }
            None if is_all && !rest.trim_ascii().is_empty() => rest,
            None => {
                *searched = bytes.len();
                return None;
            }
        };
        let taken = (begin + line.len() + 1).min(bytes.len());
        if !line.trim_ascii().is_empty() {
            return Some((asked_in(line), taken));
        }
        begin = taken;
    }
}

fn asked_in(line: &[u8]) -> Asked {
    let line = std::str::from_utf8(line.trim_ascii()).map_err(|error| format!("a line that is not UTF-8: {error}"));
    match line.and_then(json::request) {
        Ok(request) => Asked::Request(request),
        Err(why) => Asked::Mistake(Refusal::Malformed(why)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(request: &Request) -> Vec<u8> {
        let mut bytes = Vec::new();
        wire::append(&mut bytes, request).unwrap();
        bytes
    }

    fn hello(protocol: u32) -> Request {
        Request::Hello { protocol, nonce: 1, name: "test".to_owned() }
    }

    #[test]
    fn a_frame_is_understood_when_it_is_whole() {
        let mut dialect = Dialect::of(0);
        let bytes = [frame(&hello(PROTOCOL)), frame(&Request::History)].concat();
        let first = frame(&hello(PROTOCOL)).len();
        for count in 0..first {
            assert_eq!(dialect.next(&bytes[..count], false), None);
        }
        assert_eq!(dialect.next(&bytes, false), Some((Asked::Request(hello(PROTOCOL)), first)));
        assert_eq!(dialect.next(&bytes[first..], false), Some((Asked::Request(Request::History), 5)));
        let again = dialect.next(&bytes, false).unwrap().0;
        assert_eq!(again, malformed("a second greeting"));
    }

    #[test]
    fn whoever_speaks_another_version_is_told_ours() {
        // Whatever else is in such a greeting.
        let mut bytes = frame(&hello(PROTOCOL + 1));
        bytes.pop();
        bytes[3] -= 1;
        let asked = Dialect::of(bytes[0]).next(&bytes, false).unwrap().0;
        assert_eq!(asked, Asked::LastMistake(Refusal::OtherProtocol(PROTOCOL)));
    }

    #[test]
    fn what_is_no_frame_is_the_end() {
        let huge = Dialect::of(0xff).next(&[0xff; 8], false).unwrap().0;
        assert_eq!(huge, Asked::LastMistake(too_large(0xffff_ffff)));
        let get = Dialect::of(0).next(&frame(&Request::History), false).unwrap().0;
        assert_eq!(get, malformed("no greeting at first"));
    }

    #[test]
    fn empty_lines_say_nothing_and_the_last_one_needs_no_end() {
        let mut dialect = Dialect::of(b'\n');
        assert_eq!(dialect.next(b"\n \r\n", false), None);
        assert_eq!(dialect.next(b"\n{", false), None);
        let (asked, taken) = dialect.next(b"\n{\n{", false).unwrap();
        assert!(matches!(asked, Asked::Mistake(_)) && taken == 3, "{asked:?}");
        assert_eq!(dialect.next(b"{", false), None);
        assert!(matches!(dialect.next(b"{", true), Some((Asked::Mistake(_), 1))));
    }
}
