//! Lines of two streams that arrive in pieces, looked at also while they are unfinished.

use super::Stream;
use super::follow::Piece;
use crate::limits::LINE_BYTES;

/// The unfinished lines of both streams.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    open: [Line; 2],
}

/// A line, finished or not, that knows where in the log each of its bytes stands.
#[derive(Debug, Default, Clone)]
pub(crate) struct Line {
    bytes: Vec<u8>,
    /// From which byte of the line on which place in the log applies: another stream's bytes may lie between.
    places: Vec<(usize, u64)>,
}

impl Line {
    /// The text without its end of line; what is not UTF-8 is replaced.
    pub(crate) fn text(&self) -> String {
        let bytes = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        String::from_utf8_lossy(bytes).into_owned()
    }

    /// The place in the log right behind the first `length` bytes of the text.
    pub(crate) fn place_after(&self, length: usize) -> u64 {
        let length = length.min(self.bytes.len());
        let known = self.places.iter().rev().find(|(from, _)| *from < length || *from == 0);
        known.map_or(0, |(from, place)| place + (length - from) as u64)
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.bytes.last() == Some(&b'\n') || self.bytes.len() >= LINE_BYTES
    }
}

impl Lines {
    /// Takes a piece and shows `see` every line that it changed, in order, until one gives an answer.
    pub(crate) fn feed<T>(&mut self, piece: &Piece, mut see: impl FnMut(Stream, &Line) -> Option<T>) -> Option<T> {
        let line = &mut self.open[piece.stream as usize];
        let mut place = piece.start;
        for part in piece.bytes.split_inclusive(|byte| *byte == b'\n').flat_map(|part| part.chunks(LINE_BYTES)) {
            line.places.push((line.bytes.len(), place));
            line.bytes.extend_from_slice(part);
            place += part.len() as u64;
            let answer = see(piece.stream, line);
            if line.is_finished() {
                *line = Line::default();
            }
            if answer.is_some() {
                return answer;
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(stream: Stream, start: u64, text: &str) -> Piece {
        Piece { stream, start, bytes: text.into() }
    }

    fn seen(pieces: &[Piece]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut seen = Vec::new();
        for piece in pieces {
            lines.feed::<()>(piece, |stream, line| {
                seen.push(format!("{}:{}", stream.name(), line.text()));
                None
            });
        }
        seen
    }

    #[test]
    fn unfinished_lines_are_shown_as_they_grow() {
        let shown =
            seen(&[piece(Stream::Out, 0, "rea"), piece(Stream::Err, 3, "x\r\n"), piece(Stream::Out, 6, "dy\ngo")]);
        assert_eq!(shown, ["stdout:rea", "stderr:x", "stdout:ready", "stdout:go"]);
    }

    #[test]
    fn a_place_skips_the_other_stream() {
        let mut lines = Lines::default();
        lines.feed::<()>(&piece(Stream::Out, 0, "rea"), |_, _| None);
        lines.feed::<()>(&piece(Stream::Err, 3, "noise"), |_, _| None);
        let places = lines.feed(&piece(Stream::Out, 8, "dy\n"), |_, line| {
            Some([line.place_after(0), line.place_after(3), line.place_after(5)])
        });
        assert_eq!(places, Some([0, 3, 10]));
    }

    #[test]
    fn an_endless_line_is_cut() {
        let mut lines = Lines::default();
        let dots = ".".repeat(LINE_BYTES + 7);
        lines.feed::<()>(&piece(Stream::Out, 0, &dots), |_, _| None);
        assert_eq!(lines.open[0].bytes.len(), 7);
    }
}
