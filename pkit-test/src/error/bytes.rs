//! An error as bytes and back: of a start that several processes wait for, each of which is to fail with the same words.
//!
//! What it was caused by stays behind as a text, for people who ask for it.

use super::{Error, Fact, Kind};
use crate::exit::Exit;
use crate::sys::child::End;

/// All kinds, each in the place of its number.
const KINDS: [Kind; 34] = [
    Kind::Spec,
    Kind::NotFound,
    Kind::NotExecutable,
    Kind::Cwd,
    Kind::User,
    Kind::Cycle,
    Kind::UnknownDependency,
    Kind::ExitedEarly,
    Kind::Timeout,
    Kind::PortTaken,
    Kind::NoPort,
    Kind::ForeignListener,
    Kind::Died,
    Kind::Unexpected,
    Kind::HadToKill,
    Kind::GivenUp,
    Kind::StillAlive,
    Kind::Callback,
    Kind::State,
    Kind::Shared,
    Kind::Cancelled,
    Kind::GuardianLost,
    Kind::Absent,
    Kind::WrongType,
    Kind::StateGone,
    Kind::Contended,
    Kind::RolledBack,
    Kind::Broken,
    Kind::Closed,
    Kind::Overflow,
    Kind::TooLarge,
    Kind::Unsupported,
    Kind::System,
    Kind::Other,
];

/// How many errors may be told of each other: what was written by us has one or two, and what was not must not fill the stack.
const MOST_LEVELS: usize = 16;

/// What stands for a number that there is not.
const NONE: u64 = u64::MAX;

impl Error {
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(&mut bytes);
        bytes
    }

    /// `None` for what is none.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Option<Error> {
        let mut fields = Fields { bytes };
        let error = Error::read(&mut fields, MOST_LEVELS)?;
        fields.bytes.is_empty().then_some(error)
    }

    fn write(&self, bytes: &mut Vec<u8>) {
        let inner = &self.inner;
        number(bytes, inner.kind as u64);
        text(bytes, &inner.title);
        number(bytes, inner.facts.len() as u64);
        for fact in &inner.facts {
            text(bytes, &fact.label);
            text(bytes, &fact.text);
        }
        let code = inner.exit.map_or(NONE, |exit| exit.code().map_or(NONE, signed));
        number(bytes, code);
        number(bytes, inner.exit.and_then(|exit| exit.signal()).map_or(NONE, signed));
        number(bytes, inner.exit.is_some_and(|exit| exit.core_dumped()).into());
        text(bytes, &inner.source.as_ref().map(ToString::to_string).unwrap_or_default());
        number(bytes, inner.also.len() as u64);
        inner.also.iter().for_each(|also| also.write(bytes));
    }

    fn read(fields: &mut Fields<'_>, levels: usize) -> Option<Error> {
        let kind = *KINDS.get(usize::try_from(fields.number()?).ok()?)?;
        let mut error = Error::new(kind, fields.text()?);
        for _ in 0..fields.number()? {
            let (label, text) = (fields.text()?, fields.text()?);
            error.inner.facts.push(Fact { label: label.into(), text });
        }
        error.inner.exit = read_exit(fields)?;
        let source = fields.text()?;
        error.inner.source = (!source.is_empty()).then(|| source.into());
        for _ in 0..fields.number()? {
            error.inner.also.push(Error::read(fields, levels.checked_sub(1)?)?);
        }
        Some(error)
    }
}

fn read_exit(fields: &mut Fields<'_>) -> Option<Option<Exit>> {
    let (code, signal) = (fields.number()?, fields.number()?);
    let core_dumped = fields.number()? != 0;
    let end = match (code, signal) {
        (NONE, NONE) => return Some(None),
        (NONE, signal) => End::Signal { number: i32::try_from(signal as i64).ok()?, core_dumped },
        (code, _) => End::Code(i32::try_from(code as i64).ok()?),
    };
    Some(Some(end.into()))
}

fn signed(value: i32) -> u64 {
    i64::from(value) as u64
}

fn number(bytes: &mut Vec<u8>, value: u64) {
    bytes.extend_from_slice(&value.to_ne_bytes());
}

fn text(bytes: &mut Vec<u8>, value: &str) {
    number(bytes, value.len() as u64);
    bytes.extend_from_slice(value.as_bytes());
}

/// What is left to be read.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn number(&mut self) -> Option<u64> {
        let (head, rest) = self.bytes.split_first_chunk::<8>()?;
        self.bytes = rest;
        Some(u64::from_ne_bytes(*head))
    }

    fn text(&mut self) -> Option<String> {
        let length = usize::try_from(self.number()?).ok()?;
        let (head, rest) = self.bytes.split_at_checked(length)?;
        self.bytes = rest;
        String::from_utf8(head.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use std::error::Error as _;
    use std::io;

    use super::*;

    #[test]
    fn every_kind_has_its_place() {
        assert_eq!(KINDS.len(), Kind::Other as usize + 1, "the last one is the last one");
        assert!(KINDS.iter().enumerate().all(|(place, kind)| *kind as usize == place));
    }

    fn sample() -> Error {
        let also = Error::system("no log was kept", io::Error::from_raw_os_error(28));
        Error::new(Kind::ExitedEarly, "`db` exited before it was ready")
            .fact("spec", "tcp(\"db\", 0)")
            .fact("last push", "one\ntwo")
            .with_exit(End::Code(3).into())
            .and([also])
    }

    #[test]
    fn one_that_was_sent_says_the_same() {
        for error in [
            sample(),
            Error::other(""),
            sample().knowing_exit(Some(End::Signal { number: 11, core_dumped: true }.into())),
        ] {
            let came = Error::from_bytes(&error.to_bytes()).expect("it was written by us");
            assert_eq!(came.to_string(), error.to_string());
            assert_eq!((came.kind(), came.exit()), (error.kind(), error.exit()));
        }
        let also = &Error::from_bytes(&sample().to_bytes()).expect("it was written by us").inner.also[0];
        let source = also.source().expect("it had one").to_string();
        assert!(source.contains("No space left"), "{source}");
    }

    #[test]
    fn what_was_cut_or_scribbled_over_is_none() {
        let bytes = sample().to_bytes();
        assert!((0..bytes.len()).all(|length| Error::from_bytes(&bytes[..length]).is_none()));
        assert!(Error::from_bytes(&[&bytes[..], b"x"].concat()).is_none());
        assert!(Error::from_bytes(&[0xff; 64]).is_none());
    }

    #[test]
    fn one_of_very_many_levels_is_none() {
        let nested = |levels: usize| (0..levels).fold(Error::other("x"), |inner, _| Error::other("x").and([inner]));
        assert!(Error::from_bytes(&nested(MOST_LEVELS).to_bytes()).is_some());
        assert!(Error::from_bytes(&nested(MOST_LEVELS + 1).to_bytes()).is_none());
    }
}
