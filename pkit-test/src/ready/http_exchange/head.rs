//! The first lines of an answer: the status, and the few headers that matter to a probe.

use super::Trouble;
use super::body::Framing;
use crate::quote::one_line;

/// How much is shown of what a server calls its answer, and of where it sends us.
const REASON_CHARS: usize = 60;
const LOCATION_CHARS: usize = 200;

/// The line with the status of the answer itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusLine {
    pub(crate) status: u16,
    pub(super) reason: String,
    /// Where the answer begins, behind those on the way to it.
    pub(super) start: usize,
}

/// The status, if it is there yet. Answers on the way, like `103 Early Hints`, are passed over.
pub(crate) fn status_line(bytes: &[u8]) -> Result<Option<StatusLine>, Trouble> {
    let mut start = 0;
    loop {
        let rest = &bytes[start..];
        let beginning = &rest[..rest.len().min(5)];
        if !b"HTTP/".starts_with(beginning) {
            return Err(Trouble::of_garbage(rest));
        }
        let Some(line) = rest.split_inclusive(|byte| *byte == b'\n').next().filter(|line| line.ends_with(b"\n")) else {
            return Ok(None);
        };
        let (status, reason) = parse_line(line.trim_ascii_end()).ok_or_else(|| Trouble::of_garbage(line))?;
        // After a switch of protocols no other answer follows.
        if !(100..200).contains(&status) || status == 101 {
            return Ok(Some(StatusLine { status, reason, start }));
        }
        match end_of_headers(rest) {
            Some(end) => start += end,
            None => return Ok(None),
        }
    }
}

/// `HTTP/1.1 204 No Content`; the reason may be missing.
fn parse_line(line: &[u8]) -> Option<(u16, String)> {
    let (version, rest) = word(line.strip_prefix(b"HTTP/")?);
    let (status, reason) = word(rest);
    let is_version = !version.is_empty() && version.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let is_status = status.len() == 3 && status.iter().all(u8::is_ascii_digit);
    let number = std::str::from_utf8(status).ok()?.parse().ok()?;
    (is_version && is_status && number >= 100).then(|| (number, for_people(reason, REASON_CHARS)))
}

/// Cuts behind the first word; there may be more than one blank.
fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let begin = text.iter().position(|byte| *byte != b' ').unwrap_or(text.len());
    let text = &text[begin..];
    text.split_at(text.iter().position(|byte| *byte == b' ').unwrap_or(text.len()))
}

/// Where the empty line after the headers ends.
pub(super) fn end_of_headers(head: &[u8]) -> Option<usize> {
    let mut at = 0;
    for line in head.split_inclusive(|byte| *byte == b'\n') {
        at += line.len();
        if line == b"\r\n" || line == b"\n" {
            return Some(at);
        }
    }
    None
}

/// Where a redirect leads.
pub(super) fn location(head: &[u8]) -> Option<String> {
    values(head, "location").next().map(|value| for_people(value, LOCATION_CHARS)).filter(|to| !to.is_empty())
}

/// How to know where the body ends.
pub(super) fn framing(head: &[u8], status: u16, is_bodiless: bool) -> Result<Framing, Trouble> {
    if is_bodiless || matches!(status, 100..200 | 204 | 304) {
        return Ok(Framing::Length(0));
    }
    let last_coding = values(head, "transfer-encoding").last().map(|value| last_of_list(value).to_ascii_lowercase());
    match last_coding.as_deref() {
        Some(b"chunked") => Ok(Framing::Chunked),
        Some(_) => Ok(Framing::UntilEnd),
        None => length(head).map(|length| length.map_or(Framing::UntilEnd, Framing::Length)),
    }
}

/// Several that are the same are one.
fn length(head: &[u8]) -> Result<Option<u64>, Trouble> {
    let mut length = None;
    for value in values(head, "content-length").flat_map(|value| value.split(|byte| *byte == b',')) {
        let value = value.trim_ascii();
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        let number = std::str::from_utf8(value).ok().filter(|_| is_number).and_then(|value| value.parse().ok());
        if number.is_none() || length.is_some_and(|length| Some(length) != number) {
            return Err(Trouble::Framing(format!("a Content-Length of \"{}\"", for_people(value, REASON_CHARS))));
        }
        length = number;
    }
    Ok(length)
}

fn last_of_list(value: &[u8]) -> &[u8] {
    value.rsplit(|byte| *byte == b',').next().unwrap_or_default().trim_ascii()
}

/// The values of all headers of that name.
fn values<'a>(head: &'a [u8], name: &'static str) -> impl Iterator<Item = &'a [u8]> {
    let lines = head.split(|byte| *byte == b'\n').skip(1);
    lines.filter_map(move |line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        line[..colon].eq_ignore_ascii_case(name.as_bytes()).then(|| line[colon + 1..].trim_ascii())
    })
}

/// One line, whatever it is, and not too long a one.
fn for_people(bytes: &[u8], most: usize) -> String {
    one_line(&String::from_utf8_lossy(bytes.trim_ascii()), most).into_owned()
}
