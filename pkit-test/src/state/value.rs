//! Values of the user's types as they are kept, and back.

use std::any::type_name;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::packed::shown;
use super::party::Party;
use super::protocol::{Held, Value};
use crate::error::{Error, Kind, Result};
use crate::function::codec::{Unwritten, append, read, size};
use crate::limits::{SHOWN_CHARS, VALUE_BYTES};

/// What is to be kept as `what`, which is a key in quotes or another name for people.
///
/// # Errors
///
/// When it is too large, or of a shape that cannot be told from another one when it is read.
pub(super) fn stored<T: Serialize + ?Sized>(what: &str, value: &T) -> Result<Value> {
    let mut bytes = Vec::new();
    append(&mut bytes, VALUE_BYTES, &value).map_err(|unwritten| match unwritten {
        Unwritten::TooLarge => too_large(what, size(VALUE_BYTES)),
        Unwritten::Mistake(why) => {
            let title = format!("{what} cannot be kept as a value: {why}");
            Error::new(Kind::Other, title).fact("type", type_name::<T>())
        }
    })?;
    Ok(Value { type_name: type_name::<T>().into(), bytes: bytes.into() })
}

/// # Errors
///
/// When it is of another type.
pub(super) fn typed<T: DeserializeOwned>(what: &str, held: &Held) -> Result<T> {
    typed_value(what, &held.value).map_err(|error| error.fact("set by", Party::of(&held.by).to_string()))
}

/// The same, where nobody knows who has written it.
///
/// # Errors
///
/// As [`typed`].
pub(super) fn typed_value<T: DeserializeOwned>(what: &str, value: &Value) -> Result<T> {
    read(&value.bytes).map_err(|why| wrong_type::<T>(what, value, &why))
}

/// A value for people.
pub(super) fn shown_value(value: &Value) -> String {
    shown(&value.bytes, SHOWN_CHARS)
}

/// What lies at a key, as facts of an error.
pub(super) fn with_value(error: Error, held: Option<&Held>) -> Error {
    let Some(held) = held else { return error.fact("value", "none: it is absent") };
    error.fact("value", shown_value(&held.value)).fact("set by", Party::of(&held.by).to_string())
}

pub(super) fn too_large(what: &str, limit: String) -> Error {
    Error::new(Kind::TooLarge, format!("{what} is larger than {limit}, which is the limit"))
}

fn wrong_type<T>(what: &str, value: &Value, why: &str) -> Error {
    let (written, wanted) = (&*value.type_name, type_name::<T>());
    let title = match written == wanted {
        true => format!("{what} is no `{wanted}`, though it was written as one"),
        false => format!("{what} is a `{written}`, and was read as `{wanted}`"),
    };
    Error::new(Kind::WrongType, title).fact("value", shown_value(value)).fact("why", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let kept = stored("`k`", "text").unwrap();
        assert_eq!(&*kept.type_name, "str");
        assert_eq!(typed_value::<String>("`k`", &kept).unwrap(), "text");
        assert_eq!(typed_value::<Option<u8>>("`k`", &stored("`k`", &None::<u8>).unwrap()).unwrap(), None);
    }

    #[test]
    fn a_wrong_type_is_named_beside_the_right_one() {
        let error = typed_value::<String>("`n`", &stored("`n`", &7_u32).unwrap()).unwrap_err();
        assert!(error.is_wrong_type());
        let text = error.to_string();
        assert!(text.starts_with("`n` is a `u32`, and was read as `alloc::string::String`\n  value:  "), "{text}");
    }

    #[test]
    fn what_could_not_be_told_apart_is_refused() {
        let error = stored("`k`", &Some(None::<u8>)).unwrap_err().to_string();
        assert!(error.starts_with("`k` cannot be kept as a value: "), "{error}");
    }
}
