//! Lines of two streams that arrive in pieces.

use super::input::Input;
use crate::output::Stream;
use crate::output::follow::Piece;
use crate::output::lines::{Line, Lines};

/// The lines of each stream are those of its bytes, however they are cut, and each byte of one knows its place.
pub(super) fn lines(bytes: &[u8]) {
    let pieces = pieces(bytes);
    let log: Vec<u8> = pieces.iter().flat_map(|piece| piece.bytes.clone()).collect();
    let mut lines = Lines::default();
    let mut seen = [vec![String::new()], vec![String::new()]];
    for piece in &pieces {
        lines.feed::<()>(piece, |stream, line| {
            check_places(line, &log);
            let seen = &mut seen[stream as usize];
            *seen.last_mut().expect("never empty") = line.text();
            if line.is_finished() {
                seen.push(String::new());
            }
            None
        });
    }
    for stream in [Stream::Out, Stream::Err] {
        let own = pieces.iter().filter(|piece| piece.stream == stream).flat_map(|piece| piece.bytes.clone());
        assert_eq!(seen[stream as usize], expected(&own.collect::<Vec<u8>>()));
    }
}

/// Each piece is a byte with its stream and its length, and its bytes.
fn pieces(bytes: &[u8]) -> Vec<Piece> {
    let (mut input, mut pieces, mut start) = (Input::new(bytes), Vec::new(), 0);
    while !input.is_empty() {
        let head = input.byte();
        let stream = if head & 1 == 0 { Stream::Out } else { Stream::Err };
        let bytes = input.bytes(usize::from(head >> 1)).to_vec();
        let length = bytes.len() as u64;
        pieces.push(Piece { stream, start, bytes });
        start += length;
    }
    pieces
}

fn check_places(line: &Line, log: &[u8]) {
    let text = line.text();
    // Elsewhere the text has other bytes than the log.
    let is_as_it_came = !text.contains(char::REPLACEMENT_CHARACTER);
    for (index, byte) in text.bytes().enumerate().filter(|_| is_as_it_came) {
        let place = usize::try_from(line.place_after(index + 1)).expect("the log is small");
        assert_eq!(log[place - 1], byte, "byte {index} of {text:?} is not at {place}");
    }
}

fn expected(bytes: &[u8]) -> Vec<String> {
    let lines = bytes.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    lines.map(|line| String::from_utf8_lossy(line).into_owned()).collect()
}
