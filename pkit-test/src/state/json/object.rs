//! An object in a line, field by field.

use std::fmt::Write as _;

use super::super::packed::quoted;
use super::super::protocol::Who;

/// What is written of it.
pub(super) struct Object {
    json: String,
}

impl Object {
    pub(super) fn new() -> Object {
        Object { json: "{".to_owned() }
    }

    /// An answer, whose first field says what came of it.
    pub(super) fn ok(json: &str) -> Object {
        Object::new().field("ok", json)
    }

    /// A refusal: a word for programs, and a sentence for people.
    pub(super) fn error(kind: &str, message: &str) -> Object {
        Object::new().field("error", &quoted(kind)).field("message", &quoted(message))
    }

    /// A field with a value that is JSON.
    pub(super) fn field(mut self, name: &str, json: &str) -> Object {
        let comma = if self.json.len() > 1 { "," } else { "" };
        let written = write!(self.json, "{comma}{}:{json}", quoted(name));
        written.expect("a string takes everything");
        self
    }

    pub(super) fn number(self, name: &str, number: u64) -> Object {
        self.field(name, &number.to_string())
    }

    /// Somebody, or nothing.
    pub(super) fn who(self, name: &str, who: Option<&Who>) -> Object {
        match who {
            Some(who) => self.field(name, &shown(who)),
            None => self,
        }
    }

    pub(super) fn end(self) -> String {
        self.json + "}"
    }
}

/// Somebody as JSON.
pub(super) fn shown(who: &Who) -> String {
    Object::new().field("name", &quoted(&who.name)).number("pid", who.pid.into()).end()
}

/// JSON values as one.
pub(super) fn array(items: impl IntoIterator<Item = String>) -> String {
    let items: Vec<String> = items.into_iter().collect();
    format!("[{}]", items.join(","))
}
