//! What is known of a panic.

use crate::limits::{NOTE_BACKTRACE_BYTES, NOTE_MESSAGE_BYTES, NOTE_NAME_BYTES};

use super::letter::{Letter, Reading, cut};

/// A panic in another process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PanicNote {
    pub(crate) message: String,
    /// Unknown of what was thrown without a panic.
    pub(crate) place: Option<Place>,
    pub(crate) thread: String,
    pub(crate) backtrace: Option<String>,
    /// Nothing can catch it: the process aborts.
    pub(crate) is_fatal: bool,
}

/// A place in a source file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl PanicNote {
    /// Where, and what, behind a verb.
    pub(crate) fn in_a_line(&self) -> String {
        let place = self.place.as_ref().map(|place| format!(" at {}:{}:{}", place.file, place.line, place.column));
        format!("{}: {}", place.unwrap_or_default(), self.message)
    }

    /// Texts that are too long are cut.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut letter = Letter::default();
        letter.text(cut(&self.message, NOTE_MESSAGE_BYTES));
        letter.text(cut(&self.thread, NOTE_NAME_BYTES));
        letter.number(u64::from(self.is_fatal));
        letter.number(u64::from(self.place.is_some()));
        if let Some(place) = &self.place {
            letter.text(cut(&place.file, NOTE_NAME_BYTES));
            letter.number(place.line.into());
            letter.number(place.column.into());
        }
        letter.text(cut(self.backtrace.as_deref().unwrap_or_default(), NOTE_BACKTRACE_BYTES));
        letter.into_bytes()
    }

    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<PanicNote> {
        let mut reading = Reading::new(bytes);
        let (message, thread) = (reading.text()?, reading.text()?);
        let is_fatal = reading.number()? == 1;
        let place = if reading.number()? == 1 { Some(place(&mut reading)?) } else { None };
        let backtrace = Some(reading.text()?).filter(|text| !text.is_empty());
        Some(PanicNote { message, place, thread, backtrace, is_fatal })
    }
}

fn place(reading: &mut Reading<'_>) -> Option<Place> {
    let file = reading.text()?;
    let [line, column] = [reading.number()?, reading.number()?].map(u32::try_from);
    Some(Place { file, line: line.ok()?, column: column.ok()? })
}
