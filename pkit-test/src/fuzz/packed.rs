//! Values of a state as JSON, and JSON as values.

use rmp_serde::Deserializer;
use serde::Deserialize as _;
use serde::de::IgnoredAny;

use super::input::text;
use crate::state::fuzzed::{after_value, from_json, is_same, shown, to_json};

/// As MessagePack: whatever the bytes are, their JSON is JSON, and means the same the next time. As JSON: what is read is a value,
/// and is written as what it was.
pub(super) fn packed(bytes: &[u8]) {
    check_shown(bytes);
    let json = to_json(bytes);
    let again = from_json(&json).unwrap_or_else(|wrong| panic!("{json}: {wrong}"));
    assert_eq!(to_json(&again), json);
    check_is_value(bytes, &again);
    if let Ok(packed) = from_json(&text(bytes)) {
        assert_eq!(after_value(&packed), Some(&[][..]));
        assert_eq!(length_by_serde(&packed), Some(packed.len()));
        let json = to_json(&packed);
        assert_eq!(from_json(&json), Ok(packed), "{json}");
    }
}

/// It is a line, short, and the beginning of the whole where it is cut.
fn check_shown(bytes: &[u8]) {
    for most in [0, 1, 7, 80] {
        let shown = shown(bytes, most);
        assert!(shown.chars().count() <= most && !shown.contains(char::is_control), "{shown:?}");
        let whole = to_json(bytes);
        let begin = shown.strip_suffix('…').unwrap_or(&whole);
        assert!(whole.starts_with(begin), "{shown} of {whole}");
    }
}

/// `rmp_serde` finds the same end, and what has one is the same value in JSON.
fn check_is_value(bytes: &[u8], again: &[u8]) {
    let Some(rest) = after_value(bytes) else { return assert_eq!(length_by_serde(bytes), None) };
    let length = bytes.len() - rest.len();
    // It refuses what is nested deeper than we allow, and a little before that.
    if let Some(expected) = length_by_serde(bytes) {
        assert_eq!(length, expected);
        assert!(is_same(&bytes[..length], again));
    }
}

/// How long the first value is.
fn length_by_serde(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    IgnoredAny::deserialize(&mut Deserializer::new(&mut rest)).ok()?;
    Some(bytes.len() - rest.len())
}
