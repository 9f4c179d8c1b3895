//! A name that means nothing: which ones do, and which was probably meant.

use crate::error::{Error, Kind};
use crate::program::nearest_name;

/// The holes that have no part.
const OWN: [&str; 4] = ["port", "addr", "host", "dir"];

/// An error about a name that means nothing, with those that do.
pub(crate) fn unknown_name(process: &str, text: &str, name: &str, known: &[String]) -> Error {
    let others: Vec<String> =
        known.iter().filter(|known| *known != process).map(|known| format!("`{known}`")).collect();
    let why = if others.is_empty() {
        format!("there is no process `{name}`: `{process}` is started without others")
    } else {
        format!("there is no process `{name}`, but {}", others.join(", "))
    };
    Error::new(Kind::UnknownDependency, format!("`{process}` was not started: {text} means nothing here"))
        .fact("why", why)
        .fact("meant", meant(text, name, known))
        .fact("hint", literal_hint(text))
}

/// The same with the name that was probably meant: a process, or, where a hole has no part, what the process itself has.
fn meant(text: &str, name: &str, known: &[String]) -> String {
    let has_no_part = text == format!("{{{name}}}");
    let own = OWN.into_iter().filter(|_| has_no_part);
    let nearest = nearest_name(name, own.chain(known.iter().map(String::as_str)));
    nearest.map_or_else(String::new, |nearest| format!("{}?", text.replacen(name, nearest, 1)))
}

/// How to say that no hole was meant.
fn literal_hint(text: &str) -> String {
    if text.starts_with('{') { format!("write {{{text}}} where the text {text} is meant") } else { String::new() }
}
