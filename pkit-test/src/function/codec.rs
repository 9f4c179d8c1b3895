//! Values as bytes: MessagePack with the names of fields.
//!
//! The names make it describe itself, as `flatten`, `untagged` and values of any shape need. What it cannot tell apart it
//! must not change silently: `Some(None)` and `Some(())` would be read as `None`, so that they are refused ([`faithful`]).

use std::any::type_name;
use std::io::{self, Cursor, Write};

use rmp_serde::{Deserializer, Serializer, decode};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::limits::ARGUMENT_BYTES;

mod faithful;
mod parts;

use faithful::{Faithful, Tally};

/// Encodes arguments, or says why not.
pub(super) fn arguments<T: Serialize>(value: &T) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    append(&mut bytes, ARGUMENT_BYTES, value).map_err(|unwritten| match unwritten {
        Unwritten::TooLarge => format!("they are larger than {}", size(ARGUMENT_BYTES)),
        Unwritten::Mistake(why) => why,
    })?;
    Ok(bytes)
}

/// Why a value was not written, or only in part.
#[derive(Debug)]
pub(crate) enum Unwritten {
    TooLarge,
    /// What its `Serialize` says, or what cannot be told apart.
    Mistake(String),
}

/// Encodes a value behind what is there, unless it takes more than so many bytes.
pub(crate) fn append<T: Serialize>(bytes: &mut Vec<u8>, limit: u64, value: &T) -> Result<(), Unwritten> {
    let limit = limit.saturating_add(bytes.len() as u64);
    let mut limited = Limited { bytes, limit, is_full: false };
    let written = write(&mut limited, value);
    if limited.is_full { Err(Unwritten::TooLarge) } else { written.map_err(Unwritten::Mistake) }
}

/// Encodes a value to where it is wanted, in small pieces.
pub(super) fn write<T: Serialize>(writer: &mut impl Write, value: &T) -> Result<(), String> {
    let tally = Tally::default();
    let mut serializer = Serializer::new(writer).with_struct_map();
    value.serialize(Faithful::new(&mut serializer, &tally)).map_err(|error| error.to_string())
}

/// Decodes what is one value and nothing more.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, String> {
    let mut deserializer = Deserializer::new(Cursor::new(bytes));
    let value =
        T::deserialize(&mut deserializer).map_err(|error| format!("{}, as `{}`", mistake(&error), type_name::<T>()))?;
    match deserializer.position() {
        end if end == bytes.len() as u64 => Ok(value),
        end => Err(format!("`{}` ends after {end} of {} bytes", type_name::<T>(), bytes.len())),
    }
}

/// In the words that serde has for it. The format calls what it finds by its own marks, which are known by nothing but their names here.
fn mistake(error: &decode::Error) -> String {
    let decode::Error::TypeMismatch(marker) = error else { return error.to_string() };
    let mark = format!("{marker:?}");
    let kinds = [("Str", "a string"), ("Array", "a list"), ("Map", "a map"), ("Bin", "bytes"), ("Null", "nothing")];
    match kinds.iter().find(|(part, _)| mark.contains(part)) {
        Some((_, kind)) => format!("invalid type: {kind}"),
        None => error.to_string(),
    }
}

/// A number of bytes, for people.
pub(crate) fn size(bytes: u64) -> String {
    let units = [(30, "GiB"), (20, "MiB"), (10, "KiB")];
    let exact = units.iter().find(|(bits, _)| bytes > 0 && bytes % (1 << bits) == 0);
    exact.map_or_else(|| format!("{bytes} bytes"), |(bits, unit)| format!("{} {unit}", bytes >> bits))
}

#[derive(Debug)]
struct Limited<'b> {
    bytes: &'b mut Vec<u8>,
    limit: u64,
    is_full: bool,
}

impl Write for Limited<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if (self.bytes.len() + bytes.len()) as u64 > self.limit {
            self.is_full = true;
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
