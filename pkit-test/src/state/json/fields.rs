//! The fields of a request, each as what it has to be.

use std::sync::Arc;
use std::time::Duration;

use super::super::packed::{Token, after_value, shown, token};
use super::super::protocol::{Key, Value, Version};

/// How much of a wrong value is shown.
const SHOWN_CHARS: usize = 40;

/// The fields of one object but `op`, in the order of the line.
pub(super) struct Fields<'p> {
    pub(super) op: &'p str,
    given: Vec<(&'p str, &'p [u8])>,
}

impl<'p> Fields<'p> {
    /// # Errors
    ///
    /// Where it is no object, or has no `op`, or a field twice.
    pub(super) fn new(packed: &'p [u8]) -> Result<Fields<'p>, String> {
        let mut given = pairs(packed).ok_or("a request is an object, as {\"op\":\"get\",\"key\":\"n\"}")?;
        let names = || given.iter().map(|(name, _)| *name);
        if let Some((at, twice)) = names().enumerate().find(|(at, name)| names().take(*at).any(|other| other == *name))
        {
            return Err(format!("the field `{}` is there twice, again as number {}", shortened(twice), at + 1));
        }
        let op = given.iter().position(|(name, _)| *name == "op").ok_or("a request needs the field `op`")?;
        let (_, op) = given.remove(op);
        let op = text(op).ok_or_else(|| format!("`op` is a string, and not {}", shown(op, SHOWN_CHARS)))?;
        Ok(Fields { op, given })
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &'p str> {
        self.given.iter().map(|(name, _)| *name)
    }

    pub(super) fn is_given(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&'p [u8]> {
        self.given.iter().find(|(given, _)| *given == name).map(|(_, packed)| *packed)
    }

    /// A field that may be left out, or be `null`, which is what a program has that leaves it out.
    fn read<T>(&self, name: &str, what: &str, read: impl Fn(&'p [u8]) -> Option<T>) -> Result<Option<T>, String> {
        match self.get(name).filter(|packed| !is_null(packed)) {
            None => Ok(None),
            Some(packed) => read(packed).map(Some).ok_or_else(|| {
                let shown = shown(packed, SHOWN_CHARS);
                format!("`{name}` of `{}` is {what}, and not {shown}", self.op)
            }),
        }
    }

    fn needed<T>(&self, name: &str, read: Result<Option<T>, String>) -> Result<T, String> {
        read?.ok_or_else(|| format!("`{name}` of `{}` is missing", self.op))
    }

    pub(super) fn maybe_text(&self, name: &str) -> Result<Option<Arc<str>>, String> {
        Ok(self.read(name, "a string", text)?.map(Arc::from))
    }

    pub(super) fn text(&self, name: &str) -> Result<Arc<str>, String> {
        self.needed(name, self.maybe_text(name))
    }

    pub(super) fn maybe_count(&self, name: &str) -> Result<Option<u64>, String> {
        self.read(name, "a whole number that is not below 0", |packed| match only_token(packed)? {
            Token::Unsigned(count) => Some(count),
            _ => None,
        })
    }

    pub(super) fn count(&self, name: &str) -> Result<u64, String> {
        self.needed(name, self.maybe_count(name))
    }

    pub(super) fn maybe_whole(&self, name: &str) -> Result<Option<i64>, String> {
        self.read(name, "a whole number", |packed| match only_token(packed)? {
            Token::Unsigned(number) => i64::try_from(number).ok(),
            Token::Signed(number) => Some(number),
            _ => None,
        })
    }

    /// No where it is left out.
    pub(super) fn flag(&self, name: &str) -> Result<bool, String> {
        Ok(self.maybe_flag(name)?.unwrap_or(false))
    }

    pub(super) fn maybe_flag(&self, name: &str) -> Result<Option<bool>, String> {
        self.read(name, "true or false", |packed| match only_token(packed)? {
            Token::Bool(flag) => Some(flag),
            _ => None,
        })
    }

    pub(super) fn maybe_seconds(&self, name: &str) -> Result<Option<Duration>, String> {
        self.read(name, "a number of seconds", seconds)
    }

    pub(super) fn seconds(&self, name: &str) -> Result<Duration, String> {
        self.needed(name, self.maybe_seconds(name))
    }

    /// None where they are left out.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<Arc<str>>, String> {
        let texts = self.read(name, "an array of strings", |packed| {
            items(packed)?.into_iter().map(|item| text(item).map(Arc::from)).collect()
        })?;
        Ok(texts.unwrap_or_default())
    }

    /// An object whose values are versions.
    pub(super) fn versions(&self, name: &str) -> Result<Vec<(Key, Version)>, String> {
        let space = self.space()?;
        let read = self.read(name, "an object of keys with their versions", |packed| {
            let key = |name: &str| Key { space: space.clone(), name: name.into() };
            let version = |packed| match only_token(packed)? {
                Token::Unsigned(version) => Some(version),
                _ => None,
            };
            pairs(packed)?.into_iter().map(|(name, packed)| Some((key(name), version(packed)?))).collect()
        })?;
        Ok(read.unwrap_or_default())
    }

    pub(super) fn values(&self, name: &str) -> Result<Vec<(Arc<str>, Value)>, String> {
        let read = self.read(name, "an object of keys with their values", |packed| {
            Some(pairs(packed)?.into_iter().map(|(name, packed)| (name.into(), value(packed))).collect())
        })?;
        Ok(read.unwrap_or_default())
    }

    /// Any value, also `null`.
    pub(super) fn value(&self, name: &str) -> Result<Value, String> {
        self.needed(name, Ok(self.get(name))).map(value)
    }

    pub(super) fn space(&self) -> Result<Arc<str>, String> {
        let space = self.maybe_text("space")?.unwrap_or_default();
        // It stands between the namespace and the name of a meeting point.
        if space.contains('\0') { Err("`space` has a NUL in it".into()) } else { Ok(space) }
    }

    pub(super) fn key(&self) -> Result<Key, String> {
        Ok(Key { space: self.space()?, name: self.text("key")? })
    }

    /// The name of a meeting point, in its namespace.
    pub(super) fn name(&self) -> Result<Arc<str>, String> {
        let (space, name) = (self.space()?, self.text("name")?);
        Ok(format!("{space}\0{name}").into())
    }
}

fn value(packed: &[u8]) -> Value {
    let kind = match only_token(packed) {
        Some(Token::Null) => "null of JSON",
        Some(Token::Bool(_)) => "bool of JSON",
        Some(Token::Text(_)) => "string of JSON",
        Some(Token::Array(_)) => "array of JSON",
        Some(Token::Map(_)) => "object of JSON",
        _ => "number of JSON",
    };
    Value { type_name: kind.into(), bytes: packed.into() }
}

/// The keys of an object and the bytes of their values.
fn pairs(mut packed: &[u8]) -> Option<Vec<(&str, &[u8])>> {
    let Token::Map(count) = token(&mut packed)? else { return None };
    let mut pair = || {
        let Token::Text(name) = token(&mut packed)? else { return None };
        Some((std::str::from_utf8(name).ok()?, one(&mut packed)?))
    };
    (0..count).map(|_| pair()).collect()
}

fn items(mut packed: &[u8]) -> Option<Vec<&[u8]>> {
    let Token::Array(count) = token(&mut packed)? else { return None };
    (0..count).map(|_| one(&mut packed)).collect()
}

/// The bytes of the next value.
fn one<'p>(rest: &mut &'p [u8]) -> Option<&'p [u8]> {
    let whole = *rest;
    *rest = after_value(whole)?;
    Some(&whole[..whole.len() - rest.len()])
}

fn only_token(mut packed: &[u8]) -> Option<Token<'_>> {
    token(&mut packed)
}

fn is_null(packed: &[u8]) -> bool {
    only_token(packed) == Some(Token::Null)
}

fn text(packed: &[u8]) -> Option<&str> {
    match only_token(packed)? {
        Token::Text(text) => std::str::from_utf8(text).ok(),
        _ => None,
    }
}

/// More than all the time there is, is that.
fn seconds(packed: &[u8]) -> Option<Duration> {
    match only_token(packed)? {
        Token::Unsigned(seconds) => Some(Duration::from_secs(seconds)),
        Token::Double(seconds) if seconds >= 0.0 => Some(Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)),
        _ => None,
    }
}

/// What somebody else has written, in a message: no more of it than a name has.
pub(super) fn shortened(name: &str) -> String {
    name.chars().take(80).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
