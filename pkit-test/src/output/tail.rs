//! The end of a log, for reports.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use super::LogFiles;
use super::Stream;
use super::follow::{Follower, end_of};

/// The last lines of a log, both streams in order of arrival.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tail {
    pub(crate) lines: Vec<String>,
    /// Whether there is more before them.
    pub(crate) is_cut: bool,
}

/// Reads at most `lines` lines from the last `bytes` bytes of a log.
pub(crate) fn tail(log: &Path, lines: usize, bytes: u64) -> io::Result<Tail> {
    let file = File::open(LogFiles::at(log).data())?;
    let length = file.metadata()?.len();
    let start = length.saturating_sub(bytes);
    let mut buffer = vec![0; usize::try_from(length - start).unwrap_or(0)];
    let got = file.read_at(&mut buffer, start)?;
    buffer.truncate(got);
    let is_old = start > 0 || LogFiles::at(log).old_data().exists();
    Ok(last_lines(&String::from_utf8_lossy(&buffer), lines, is_old))
}

/// The same of what was written behind the first `since` bytes.
pub(crate) fn tail_since(log: &Path, since: u64, lines: usize, bytes: u64) -> Tail {
    let end = end_of(log);
    let start = end.saturating_sub(bytes).max(since);
    let mut text = Vec::new();
    // What could be read until then is still worth having; a log that is gone is empty.
    let _ = Follower::new(log, start).each_until(end, |piece| text.extend_from_slice(&piece.bytes));
    last_lines(&String::from_utf8_lossy(&text), lines, start > since)
}

fn last_lines(text: &str, count: usize, mut is_cut: bool) -> Tail {
    // The first line of a text that was cut is a piece of a line.
    let text = if is_cut { text.split_once('\n').map_or(text, |(_, rest)| rest) } else { text };
    let all: Vec<&str> = text.lines().collect();
    let skipped = all.len().saturating_sub(count);
    is_cut |= skipped > 0;
    Tail { lines: all[skipped..].iter().map(|line| (*line).to_owned()).collect(), is_cut }
}

/// The last words of a process: the last lines of stderr, or of stdout where it wrote nothing to stderr. What was
/// written before the first `since` bytes were full is left out.
pub(crate) fn last_words(log: &Path, since: u64, count: usize, bytes: u64) -> Option<(Stream, Tail)> {
    let end = end_of(log);
    let start = end.saturating_sub(bytes).max(since);
    let mut follower = Follower::new(log, start);
    let mut streams = [Vec::new(), Vec::new()];
    follower.each_until(end, |piece| streams[piece.stream as usize].extend_from_slice(&piece.bytes)).ok()?;
    let [out, err] = streams;
    let (stream, text) = if err.is_empty() { (Stream::Out, out) } else { (Stream::Err, err) };
    let mut tail = last_lines(&String::from_utf8_lossy(&text), count, start > since);
    // The message of a panic begins with an empty line, which would stand where the first word belongs.
    let empty = tail.lines.iter().take_while(|line| line.trim().is_empty()).count();
    tail.lines.drain(..empty);
    (!tail.lines.is_empty()).then_some((stream, tail))
}
