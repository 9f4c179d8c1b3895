//! Reads as much of an answer as somebody wants to know.

use super::body::{Decoder, Framing};
use super::head::{self, StatusLine};
use super::{Came, PORTION_BYTES, Talk, Trouble};
use crate::limits::HTTP_BODY_BYTES;

/// How much is read in search of a status, with the answers on the way to it.
const STATUS_BYTES: usize = PORTION_BYTES;
/// How much is read in search of the end of the headers.
const HEAD_BYTES: usize = 64 * 1024;

/// What was read of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    reason: String,
    /// Where a redirect leads, if the headers were read.
    pub(crate) location: Option<String>,
    pub(crate) body: Vec<u8>,
    /// There was more of the body than is read.
    pub(crate) is_cut: bool,
}

/// How much of an answer is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    Status,
    /// If they come: without them there still is the status.
    Headers,
    Body,
}

/// Somebody who wants to know something of an answer.
pub(crate) trait Reader {
    /// How much is wanted of an answer with that status.
    fn extent(&self, status: u16) -> Extent;

    /// Looks at one body as it comes.
    fn watch(&self) -> Watch<'_>;
}

/// Whether that much of a body is enough, before its end has come. It is shown more of it each time.
pub(crate) type Watch<'a> = Box<dyn FnMut(&[u8]) -> bool + 'a>;

impl Answer {
    /// The status as the server said it. Some have a dash where others have words.
    pub(crate) fn title(&self) -> String {
        if !self.reason.contains(char::is_alphanumeric) {
            format!("status {}", self.status)
        } else {
            format!("{} {}", self.status, self.reason)
        }
    }
}

/// Reads an answer. `is_bodiless` is one to a request whose answers never have a body.
pub(super) fn read(talk: &mut Talk<'_>, is_bodiless: bool, reader: &dyn Reader) -> Result<Answer, Trouble> {
    let mut bytes = Vec::new();
    let StatusLine { status, reason, start } = read_status(talk, &mut bytes)?;
    let mut answer = Answer { status, reason, location: None, body: Vec::new(), is_cut: false };
    match reader.extent(status) {
        Extent::Status => {}
        Extent::Headers => {
            let headers = read_headers(talk, &mut bytes, start).ok();
            answer.location = headers.and_then(|end| head::location(&bytes[start..end]));
        }
        Extent::Body => {
            let end = read_headers(talk, &mut bytes, start)?;
            let framing = head::framing(&bytes[start..end], status, is_bodiless)?;
            (answer.body, answer.is_cut) = read_body(talk, framing, &bytes[end..], reader)?;
        }
    }
    Ok(answer)
}

fn read_status(talk: &mut Talk<'_>, bytes: &mut Vec<u8>) -> Result<StatusLine, Trouble> {
    loop {
        match head::status_line(bytes)? {
            Some(line) => return Ok(line),
            None if bytes.len() >= STATUS_BYTES => return Err(Trouble::TooLong(STATUS_BYTES)),
            None => read_on(talk, bytes, STATUS_BYTES)?,
        }
    }
}

/// Where the headers end of the answer that begins at `start`.
fn read_headers(talk: &mut Talk<'_>, bytes: &mut Vec<u8>, start: usize) -> Result<usize, Trouble> {
    loop {
        match head::end_of_headers(&bytes[start..]) {
            Some(end) => return Ok(start + end),
            None if bytes.len() >= HEAD_BYTES => return Err(Trouble::TooManyHeaders(HEAD_BYTES)),
            None => read_on(talk, bytes, HEAD_BYTES)?,
        }
    }
}

fn read_on(talk: &mut Talk<'_>, bytes: &mut Vec<u8>, most: usize) -> Result<(), Trouble> {
    match talk.read(bytes, most - bytes.len()) {
        Ok(Came::Some) => Ok(()),
        Ok(Came::Nothing) => talk.wait_for_more().map_err(|ended| Trouble::of_waiting(ended, bytes)),
        Ok(Came::End) => Err(Trouble::of_end(bytes)),
        Err(ended) => Err(Trouble::of_waiting(ended, bytes)),
    }
}

/// The body, and whether there was more of it than is read.
fn read_body(
    talk: &mut Talk<'_>,
    framing: Framing,
    begun: &[u8],
    reader: &dyn Reader,
) -> Result<(Vec<u8>, bool), Trouble> {
    let mut decoder = Decoder::new(framing);
    let mut is_enough = reader.watch();
    match read_portions(talk, &mut decoder, begun, &mut is_enough) {
        Ok(is_cut) => Ok((decoder.into_body(), is_cut)),
        // What was wanted came before the trouble did, and might have been looked at before it.
        Err(_) if is_enough(decoder.body()) => Ok((decoder.into_body(), true)),
        Err(trouble) => Err(trouble),
    }
}

fn read_portions(
    talk: &mut Talk<'_>,
    decoder: &mut Decoder,
    begun: &[u8],
    is_enough: &mut Watch<'_>,
) -> Result<bool, Trouble> {
    let mut portion = begun.to_owned();
    let mut came = portion.len();
    loop {
        decoder.feed(&portion)?;
        portion.clear();
        if decoder.is_done() {
            return Ok(false);
        }
        if came >= HTTP_BODY_BYTES {
            return Ok(true);
        }
        match talk.read(&mut portion, HTTP_BODY_BYTES - came) {
            Ok(Came::Some) => came += portion.len(),
            Ok(Came::End) => return decoder.end().map(|()| false),
            // Asked only here: a body that comes at once is looked at once.
            Ok(Came::Nothing) if is_enough(decoder.body()) => return Ok(true),
            Ok(Came::Nothing) => {
                talk.wait_for_more().map_err(|ended| Trouble::of_waiting_for_body(ended, decoder.body()))?;
            }
            Err(ended) => return Err(Trouble::of_waiting_for_body(ended, decoder.body())),
        }
    }
}
