//! Numbers in MessagePack, as much of them as can be counted on.

use std::sync::Arc;

use super::super::protocol::{Held, Refusal, Value};
use crate::function::codec;

/// A number of a type that nobody has named.
const ANY: &str = "i64";

/// As much more. The type stays what it was, and is not left: what counts in an `i32` can read it as that afterwards.
pub(super) fn increased(held: Option<&Held>, by: i64) -> Result<(i64, Value), Refusal> {
    let Some(held) = held else { return Ok((by, value(by, Arc::from(ANY)))) };
    let Some(number) = read(&held.value.bytes) else { return Err(Refusal::NotANumber { held: held.clone() }) };
    let sum = number + i128::from(by);
    match i64::try_from(sum) {
        Ok(fits) if has_room(&held.value.type_name, sum) => Ok((fits, value(fits, Arc::clone(&held.value.type_name)))),
        _ => Err(out_of_range(held, number, by)),
    }
}

/// A `u64` that is no `i64` is no number that could be said.
fn out_of_range(held: &Held, number: i128, by: i64) -> Refusal {
    let number = i64::try_from(number);
    number.map_or_else(|_| Refusal::NotANumber { held: held.clone() }, |held| Refusal::OutOfRange { held, by })
}

fn value(number: i64, type_name: Arc<str>) -> Value {
    let mut bytes = Vec::with_capacity(9);
    codec::append(&mut bytes, 9, &number).expect("an integer has 9 bytes at most");
    Value { type_name, bytes: bytes.into() }
}

/// Whether a type of this name can be so large. Of one that is not Rust's own nobody knows.
fn has_room(type_name: &str, number: i128) -> bool {
    match type_name {
        "i8" => i8::try_from(number).is_ok(),
        "i16" => i16::try_from(number).is_ok(),
        "i32" => i32::try_from(number).is_ok(),
        "u8" => u8::try_from(number).is_ok(),
        "u16" => u16::try_from(number).is_ok(),
        "u32" => u32::try_from(number).is_ok(),
        "u64" | "usize" => u64::try_from(number).is_ok(),
        _ => true,
    }
}

/// An integer of any width, and nothing behind it.
/// <https://github.com/msgpack/msgpack/blob/master/spec.md#int-format-family>
fn read(bytes: &[u8]) -> Option<i128> {
    let (&marker, rest) = bytes.split_first()?;
    let number = match (marker, rest.len()) {
        (0x00..=0x7f, 0) => i128::from(marker),
        (0xe0..=0xff, 0) => i128::from(marker as i8),
        (0xcc, 1) | (0xcd, 2) | (0xce, 4) | (0xcf, 8) => unsigned(rest),
        (0xd0, 1) | (0xd1, 2) | (0xd2, 4) | (0xd3, 8) => {
            let unused = 128 - 8 * rest.len();
            unsigned(rest) << unused >> unused
        }
        _ => return None,
    };
    Some(number)
}

fn unsigned(bytes: &[u8]) -> i128 {
    bytes.iter().fold(0, |number, byte| number << 8 | i128::from(*byte))
}
