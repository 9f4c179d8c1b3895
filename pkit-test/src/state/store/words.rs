//! How processes and keys are called before people.

use std::time::Duration;

use super::super::named;
use super::super::protocol::{Key, Who};
use crate::duration::in_words;

/// Further facts of an error.
pub(super) type Facts = Vec<(String, String)>;

/// How many processes are named, before the rest is a number.
pub(super) const NAMED: usize = 8;

/// `` `reader` (pid 7) ``.
pub(super) fn called(who: &Who) -> String {
    match who.pid {
        0 => format!("`{}`", who.name),
        pid => format!("`{}` (pid {pid})", who.name),
    }
}

/// The same for a table, where quotes are noise.
pub(super) fn plain(who: &Who) -> String {
    match who.pid {
        0 => who.name.to_string(),
        pid => format!("{} (pid {pid})", who.name),
    }
}

/// All of them, or the first ones: `` `a`, `b` and 3 more ``.
pub(super) fn all_called<'w>(mut whos: impl Iterator<Item = &'w Who>) -> String {
    let named: Vec<_> = whos.by_ref().take(NAMED).map(called).collect();
    match (named.is_empty(), whos.count()) {
        (true, _) => "nobody".to_owned(),
        (false, 0) => named.join(", "),
        (false, more) => format!("{} and {more} more", named.join(", ")),
    }
}

/// With a namespace in front, if it has one.
pub(super) fn key(key: &Key) -> String {
    let name = named::plain(&key.name);
    if key.space.is_empty() { name.into_owned() } else { format!("{}/{name}", named::plain(&key.space)) }
}

/// Of a meeting point, likewise.
pub(super) fn name(name: &str) -> String {
    match name.split_once('\0') {
        Some(("", name)) => named::plain(name).into_owned(),
        Some((space, name)) => format!("{}/{}", named::plain(space), named::plain(name)),
        None => named::plain(name).into_owned(),
    }
}

/// `` 12 ms before, by `writer` (pid 7) ``.
pub(super) fn before(ago: Duration, who: &Who) -> String {
    format!("{} before, by {}", in_words(ago), called(who))
}

pub(super) fn fact(name: &str, value: impl Into<String>) -> (String, String) {
    (name.to_owned(), value.into())
}
