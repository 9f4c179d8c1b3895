//! The only place where `{port}` means something.
//!
//! A hole is `{name}` or `{name.part…}` of identifiers, where a part may also be a number; `{&name.part}` is the
//! same without the order. Every other brace is text, so that JSON, awk and Go templates need no care. What
//! decides is only what touches the name:
//!
//! | text                      | means                                                         |
//! |---------------------------|---------------------------------------------------------------|
//! | `{db.port}` `{node.2.url}`| a hole                                                        |
//! | `{&db.addr}`              | a hole without the order                                      |
//! | `{{port}}`                | the text `{port}`                                             |
//! | `{{{port}}}`              | the text `{{port}}`: one pair goes, what is further out stays |
//! | `{{port},1}` `{1,{port}}` | a brace, the hole, the rest: a pair needs both sides          |
//! | `{"a":{"b":{port}}}`      | JSON around a hole                                            |
//! | `{}` `{ port }` `{4,5}` `{-1}` `{_}` `{a.}` `{2}` `{{.Names}}` `{{ x }}` | text           |
//!
//! Two languages have braces of their own, so there a few more are text. In a *regex*: a name that nobody knows
//! (`\p{Greek}`, `(?P<x>a){n}`), and a brace that a backslash or `\x \u \U \p \P \b` takes. In a *script*: `${x}`,
//! which is the shell's. Values are inserted so that they are nothing but themselves there. A value is never
//! read again, so one that looks like a hole is safe.

use std::borrow::Cow;

use crate::quote::{Place, Script};

/// The names that a process cannot have, because a hole without a process says them.
pub(crate) const REFUSED_NAMES: [&str; 9] = ["port", "host", "addr", "dir", "env", "index", "slot", "peers", "link"];

/// A text with holes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    source: String,
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Hole(Hole, Insert),
}

/// How a value has to be written where the hole is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Insert {
    AsIs,
    IntoRegex,
    IntoScript(Place),
}

/// A place for a value that is known when the process starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Hole {
    /// The name and what follows it: `db`, `port`, `peer`.
    pub(crate) path: Vec<String>,
    /// Whether the process is not waited for: `{&db.addr}`.
    pub(crate) unordered: bool,
    /// As written, with the braces.
    pub(crate) text: String,
}

impl Template {
    pub(crate) fn parse(text: &str) -> Template {
        let mut builder = Builder::new(text);
        for token in tokens(text, |_, _| false) {
            match token {
                Token::Text(text) => builder.text(text),
                Token::Escape(hole) => builder.text(&hole.text),
                Token::Hole(hole) => builder.hole(hole, Insert::AsIs),
            }
        }
        builder.done
    }

    /// A template of a regex. Holes are those whose first name `is_known`, the own ones included.
    pub(crate) fn parse_regex(text: &str, is_known: &dyn Fn(&str) -> bool) -> Template {
        let mut builder = Builder::new(text);
        for token in tokens(text, |before, _| regex_takes_brace(before)) {
            match token {
                Token::Text(text) => builder.text(text),
                Token::Escape(hole) if is_known(hole.name()) => builder.text(&regex_lite::escape(&hole.text)),
                Token::Escape(hole) => builder.text(&format!("{{{}}}", hole.text)),
                Token::Hole(hole) if is_known(hole.name()) => builder.hole(hole, Insert::IntoRegex),
                Token::Hole(hole) => builder.text(&hole.text),
            }
        }
        builder.done
    }

    /// A template of a script for `/bin/sh`.
    pub(crate) fn parse_script(text: &str) -> Template {
        let mut builder = Builder::new(text);
        let mut script = Script::default();
        for token in tokens(text, |before, is_escape| before.ends_with('$') && !is_escape) {
            match token {
                Token::Text(text) => builder.script_text(text, &mut script),
                Token::Escape(hole) => builder.script_text(&hole.text, &mut script),
                Token::Hole(hole) => builder.script_hole(hole, &mut script),
            }
        }
        builder.done
    }

    pub(crate) fn holes(&self) -> impl Iterator<Item = &Hole> {
        self.parts.iter().filter_map(|part| match part {
            Part::Text(_) => None,
            Part::Hole(hole, _) => Some(hole),
        })
    }

    /// The text that was parsed.
    pub(crate) fn source(&self) -> &str {
        &self.source
    }

    /// The text with every hole filled, or the first error of `lookup`.
    pub(crate) fn render<E>(&self, lookup: &mut dyn FnMut(&Hole) -> Result<String, E>) -> Result<String, E> {
        let mut rendered = String::with_capacity(self.source.len());
        for part in &self.parts {
            match part {
                Part::Text(text) => rendered.push_str(text),
                Part::Hole(hole, insert) => rendered.push_str(&insert.write(&lookup(hole)?)),
            }
        }
        Ok(rendered)
    }
}

impl Insert {
    fn write(self, value: &str) -> Cow<'_, str> {
        match self {
            Insert::AsIs => Cow::Borrowed(value),
            Insert::IntoRegex => Cow::Owned(regex_lite::escape(value)),
            Insert::IntoScript(place) => place.quote(value),
        }
    }
}

impl Hole {
    /// The first part: a process, or one of [`REFUSED_NAMES`].
    pub(crate) fn name(&self) -> &str {
        &self.path[0]
    }

    /// What follows the name: `port.peer`, or nothing.
    pub(crate) fn rest(&self) -> String {
        self.path[1..].join(".")
    }

    /// Whether the process itself fills it, and no other.
    pub(crate) fn is_own(&self) -> bool {
        REFUSED_NAMES.contains(&self.name())
    }
}

/// Whether the text is an identifier, as every name in a hole must be.
pub(crate) fn is_name(text: &str) -> bool {
    let mut chars = text.chars();
    let begins = chars.next().is_some_and(|first| first.is_alphabetic() || first == '_');
    begins && text != "_" && chars.all(|c| c.is_alphanumeric() || c == '_')
}

/// Collects the parts, with neighbouring texts as one: equal templates compare as equal.
struct Builder {
    done: Template,
}

impl Builder {
    fn new(source: &str) -> Builder {
        Builder { done: Template { source: source.to_owned(), parts: Vec::new() } }
    }

    fn text(&mut self, text: &str) {
        match self.done.parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ if text.is_empty() => {}
            _ => self.done.parts.push(Part::Text(text.to_owned())),
        }
    }

    fn hole(&mut self, hole: Hole, insert: Insert) {
        self.done.parts.push(Part::Hole(hole, insert));
    }

    fn script_text(&mut self, text: &str, script: &mut Script) {
        script.read(text);
        self.text(text);
    }

    fn script_hole(&mut self, hole: Hole, script: &mut Script) {
        self.hole(hole, Insert::IntoScript(script.place()));
        script.pass_value();
    }
}

enum Token<'t> {
    Text(&'t str),
    /// `{x}`
    Hole(Hole),
    /// `{{x}}`, with the text of the hole that it would be otherwise: `{x}`.
    Escape(Hole),
}

/// Cuts a text. `is_taken(before, is_escape)` says whether the language around takes the brace after `before`.
fn tokens(text: &str, is_taken: impl Fn(&str, bool) -> bool) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut begun, mut at) = (0, 0);
    while let Some(brace) = text[at..].find('{').map(|offset| at + offset) {
        let escape = escape_at(&text[brace..]);
        let is_escape = escape.is_some();
        let found = escape.map(|hole| (hole.text.len() + 2, Token::Escape(hole)));
        let found = found.or_else(|| hole_at(&text[brace..]).map(|hole| (hole.text.len(), Token::Hole(hole))));
        at = brace + 1;
        if let Some((length, token)) = found.filter(|_| !is_taken(&text[..brace], is_escape)) {
            tokens.push(Token::Text(&text[begun..brace]));
            tokens.push(token);
            at = brace + length;
            begun = at;
        }
    }
    tokens.push(Token::Text(&text[begun..]));
    tokens
}

fn escape_at(text: &str) -> Option<Hole> {
    let hole = hole_at(text.strip_prefix('{')?)?;
    text[1 + hole.text.len()..].starts_with('}').then_some(hole)
}

fn hole_at(text: &str) -> Option<Hole> {
    let inside = text.strip_prefix('{')?;
    // Not a search for the closing brace: that would read a long text once for each of its braces.
    let inside = &inside[..inside.find(|c: char| !may_be_inside(c))?];
    let text = text.get(..inside.len() + 2).filter(|text| text.ends_with('}'))?;
    let (path, unordered) = inside.strip_prefix('&').map_or((inside, false), |path| (path, true));
    let path: Vec<_> = path.split('.').map(str::to_owned).collect();
    let is_hole = is_name(&path[0]) && path[1..].iter().all(|part| is_name(part) || is_number(part));
    is_hole.then(|| Hole { path, unordered, text: text.to_owned() })
}

fn may_be_inside(c: char) -> bool {
    c.is_alphanumeric() || "_.&".contains(c)
}

fn is_number(part: &str) -> bool {
    !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit())
}

/// Whether a brace that follows belongs to the regex: `\{`, or `\p{Greek}` and its like.
fn regex_takes_brace(before: &str) -> bool {
    let after_class = before.strip_suffix(['x', 'u', 'U', 'p', 'P', 'b']);
    ends_in_escape(before) || after_class.is_some_and(ends_in_escape)
}

fn ends_in_escape(text: &str) -> bool {
    let backslashes = text.len() - text.trim_end_matches('\\').len();
    backslashes % 2 == 1
}

#[cfg(test)]
mod tests;
