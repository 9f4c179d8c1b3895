//! An answer as a line.
//!
//! `ok` is what was asked for, and stands beside whatever else is known; a refusal has `error`, a word, instead. So a program needs to
//! look at one field only.

use super::super::packed::{quoted, to_json};
use super::super::protocol::{Change, Held, Refusal, Reply, Request, Who};
use super::object::{Object, array, shown};

/// What a line answers, without its end. Without a request it is about one that could not be read.
pub(crate) fn reply(request: Option<&Request>, reply: &Reply) -> String {
    match reply {
        Reply::Welcome { server } => Object::ok(&server.to_string()),
        Reply::Value { held: None, now } => absent(request).number("version", *now),
        Reply::Value { held: Some(held), .. } => value(held),
        Reply::Names { names, now } => names_at(names, *now),
        Reply::Entries { entries, now } => entries_at(entries, *now),
        Reply::Number(number) => Object::ok(&number.to_string()),
        Reply::Done { version } => Object::ok("true").number("version", *version),
        Reply::NotDone { held } => not_done(held.as_ref()),
        Reply::Moved => moved(request),
        Reply::Changes(changes) => Object::ok(&array(changes.iter().map(change))),
        Reply::Granted { permit, after } => Object::ok(&permit.to_string()).who("after", after.as_ref()),
        Reply::Item { value, lease, after } => {
            let item = Object::ok(&to_json(&value.bytes));
            let item = lease.map_or_else(|| Object::ok(&to_json(&value.bytes)), |lease| item.number("lease", lease));
            item.who("after", after.as_ref())
        }
        Reply::Standing(standing) => Object::ok(&array(standing.iter().map(shown))),
        Reply::Late { facts } => late(facts),
        Reply::Refused(refusal) => refused(refusal),
    }
    .end()
}

fn value(held: &Held) -> Object {
    known(Object::ok(&to_json(&held.value.bytes)), held)
}

fn known(object: Object, held: &Held) -> Object {
    object.number("version", held.version).who("by", Some(&held.by)).field("type", &quoted(&held.value.type_name))
}

/// Whoever reads a value wants one; else it is no mistake that there is none.
fn absent(request: Option<&Request>) -> Object {
    match request {
        Some(Request::Get { key, .. }) => Object::error("absent", &format!("there is no `{}`", key.name)),
        _ => Object::ok("null"),
    }
}

fn names_at(names: &[String], now: u64) -> Object {
    Object::ok(&array(names.iter().map(|name| quoted(name)))).number("version", now)
}

fn entries_at(entries: &[(String, Held)], now: u64) -> Object {
    let values = entries.iter().fold(Object::new(), |all, (key, held)| all.field(key, &to_json(&held.value.bytes)));
    let versions = entries.iter().fold(Object::new(), |all, (key, held)| all.number(key, held.version));
    Object::ok(&values.end()).field("versions", &versions.end()).number("version", now)
}

fn not_done(held: Option<&Held>) -> Object {
    match held {
        Some(held) => known(Object::ok("false").field("value", &to_json(&held.value.bytes)), held),
        None => Object::ok("false").number("version", 0),
    }
}

/// A commit that comes too late was not done; a read has nothing to give.
fn moved(request: Option<&Request>) -> Object {
    match request {
        Some(Request::Commit(_)) => Object::ok("false"),
        _ => Object::error("moved", "it has changed since that version"),
    }
}

fn change(change: &Change) -> String {
    let object = Object::new().field("key", &quoted(&change.key.name));
    let object = match &change.value {
        Some(value) => object.field("value", &to_json(&value.bytes)),
        None => object.field("removed", "true"),
    };
    let object = object.number("version", change.version).who("by", Some(&change.by));
    if change.is_first { object.field("first", "true").end() } else { object.end() }
}

fn late(facts: &[(String, String)]) -> Object {
    let error = Object::error("late", "the time is over");
    let facts = facts.iter().fold(Object::new(), |all, (name, fact)| all.field(name, &quoted(fact)));
    error.field("facts", &facts.end())
}

fn refused(refusal: &Refusal) -> Object {
    let by = |error: Object, who: &Who| error.who("by", Some(who));
    match refusal {
        Refusal::Malformed(why) => Object::error("malformed", why),
        Refusal::OtherProtocol(version) => {
            Object::error("other_protocol", &format!("the server speaks version {version} of the protocol"))
        }
        Refusal::NotANumber { held } => known(
            Object::error("not_a_number", &format!("it is a `{}`, and no whole number", held.value.type_name)),
            held,
        ),
        Refusal::OutOfRange { held, by } => {
            Object::error("out_of_range", &format!("{held} and {by} is more than a number can be"))
        }
        Refusal::TooLarge { bytes, limit } => {
            Object::error("too_large", &format!("{bytes} bytes are more than the {limit} that are allowed"))
        }
        Refusal::Differs { made, asked, by: who } => {
            let message = format!("`{}` has opened it for {made}, and now it is for {asked}", who.name);
            by(Object::error("differs", &message), who)
        }
        Refusal::Broken { by: who, why } => {
            by(Object::error("broken", &format!("the round is broken: of `{}`, {why}", who.name)), who)
        }
        Refusal::Closed { by: who } => by(Object::error("closed", &format!("it was closed by `{}`", who.name)), who),
        Refusal::Overflow { missed } => {
            Object::error("overflow", &format!("{missed} changes were not kept, as nobody asked for them"))
                .number("missed", *missed)
        }
    }
}
