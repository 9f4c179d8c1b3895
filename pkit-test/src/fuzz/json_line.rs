//! Lines of JSON that are said to a state, and answered in lines.

use super::input::text;
use crate::state::fuzzed::{Held, Reply, Value, Who, from_json, reply, request, to_json};

/// A line is a request, which is the same one however it is written, or a mistake with a short sentence. Its answer is JSON in a line,
/// whatever is in it.
pub(super) fn json_line(bytes: &[u8]) {
    let line = text(bytes);
    let request = match request(&line) {
        Ok(asked) => {
            let again = to_json(&from_json(&line).expect("it was read"));
            assert_eq!(request(&again), Ok(asked.clone()), "{again}");
            Some(asked)
        }
        Err(wrong) => {
            assert!(!wrong.is_empty() && wrong.chars().count() < 500, "{wrong}");
            assert!(!wrong.contains(char::is_control), "{wrong:?}");
            None
        }
    };
    for answer in answers(bytes, &line) {
        let line = reply(request.as_ref(), &answer);
        assert!(line.starts_with("{\"ok\":") || line.starts_with("{\"error\":"), "{line}");
        assert!(!line.contains(char::is_control), "{line:?}");
        // Its own depth comes on top of that of a value that is as deep as it can be.
        let is_json = from_json(&line).map_or_else(|wrong| wrong.contains("nested deeper"), |_| true);
        assert!(is_json, "{line}");
    }
}

/// With values that are no values, and names that are anything.
fn answers(bytes: &[u8], text: &str) -> [Reply; 4] {
    let value = || Value { type_name: text.into(), bytes: bytes.into() };
    let who = || Who { name: text.into(), pid: 1 };
    let held = || Held { value: value(), version: u64::MAX, by: who() };
    [
        Reply::Value { held: Some(held()), now: 1 },
        Reply::Entries { entries: vec![(text.to_owned(), held())], now: 1 },
        Reply::Item { value: value(), lease: Some(1), after: Some(who()) },
        Reply::Late { facts: vec![(text.to_owned(), text.to_owned())] },
    ]
}
