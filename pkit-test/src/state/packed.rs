//! MessagePack without its types: as people and other languages see it.
//!
//! The server of a state knows no type of anybody, and still has to show values, and to give them to programs that know only
//! JSON. By hand, for `serde_json` would be three more crates in every build of every user, and this is two walks over bytes.
//! Whatever the bytes are, a walk ends: nesting costs memory and no stack, and what is announced and not there costs nothing.

mod parse;
mod same;
mod token;
mod write;

pub(crate) use parse::from_json;
pub(crate) use same::{is_at_least, is_same};
pub(crate) use token::after_value;
pub(super) use token::{Token, token};

use write::Writer;

/// How deep values may be nested: what is deeper `rmp_serde` would not read.
const DEPTH: usize = 1000;

/// A value as JSON in a line, cut to so many characters. Of bytes that are cut off it is what is there. The work is bounded by
/// the characters, however large the value is.
pub(crate) fn shown(bytes: &[u8], most_chars: usize) -> String {
    Writer::new(bytes, most_chars).shown()
}

/// A value as JSON in a line. What JSON does not have is there as what is nearest: bytes as an array of numbers, keys that are no
/// strings as strings of their JSON, and numbers that are none as `null`. What is not a value ends where it stops being one.
pub(crate) fn to_json(bytes: &[u8]) -> String {
    Writer::new(bytes, usize::MAX).whole()
}

/// A text as JSON.
pub(crate) fn quoted(text: &str) -> String {
    Writer::of_text(text)
}

#[cfg(test)]
mod tests;
