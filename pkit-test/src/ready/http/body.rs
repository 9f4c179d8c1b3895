//! What a request carries, and what an answer has to.

use regex_lite::Regex;

use crate::ready::{Fill, Unprepared};
use crate::template::{Hole, Template};

/// The body of a request: a text, whose holes are filled, or bytes, which are sent as they are.
///
/// ```
/// use pkit_test::ready::{Body, Http};
/// let text: Body = r#"{"listen": "{addr}"}"#.into();
/// let bytes: Body = vec![0_u8, 255].into();
/// let probes = [Http::post("/setup").body(text), Http::post("/setup").body(bytes)];
/// assert_ne!(format!("{:?}", probes[0]), format!("{:?}", probes[1]));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Text(Template),
    Bytes(Vec<u8>),
}

impl Body {
    pub(super) fn template(&self) -> Option<&Template> {
        match &self.kind {
            Kind::Text(template) => Some(template),
            Kind::Bytes(_) => None,
        }
    }

    pub(super) fn render<E>(&self, fill: &mut Fill<'_, E>) -> Result<Vec<u8>, E> {
        match &self.kind {
            Kind::Text(template) => template.render(fill.lookup).map(String::into_bytes),
            Kind::Bytes(bytes) => Ok(bytes.clone()),
        }
    }

    fn of_text(text: &str) -> Body {
        Body { kind: Kind::Text(Template::parse(text)) }
    }

    fn of_bytes(bytes: &[u8]) -> Body {
        Body { kind: Kind::Bytes(bytes.to_owned()) }
    }
}

/// A text with holes.
impl From<&str> for Body {
    fn from(text: &str) -> Body {
        Body::of_text(text)
    }
}

/// A text with holes.
impl From<String> for Body {
    fn from(text: String) -> Body {
        Body::of_text(&text)
    }
}

/// A text with holes.
impl From<&String> for Body {
    fn from(text: &String) -> Body {
        Body::of_text(text)
    }
}

/// Bytes, in which nothing is a hole.
impl From<&[u8]> for Body {
    fn from(bytes: &[u8]) -> Body {
        Body::of_bytes(bytes)
    }
}

/// Bytes, in which nothing is a hole.
impl<const N: usize> From<&[u8; N]> for Body {
    fn from(bytes: &[u8; N]) -> Body {
        Body::of_bytes(bytes)
    }
}

/// Bytes, in which nothing is a hole.
impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Body {
        Body { kind: Kind::Bytes(bytes) }
    }
}

/// What has to be in the body of an answer, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    Text(Template),
    Regex(String),
}

impl Content {
    pub(super) fn template(&self) -> Option<&Template> {
        match self {
            Content::Text(template) => Some(template),
            Content::Regex(_) => None,
        }
    }

    pub(super) fn regex_holes(&self) -> Vec<Hole> {
        match self {
            Content::Text(_) => Vec::new(),
            Content::Regex(regex) => Template::parse_regex(regex, &|_| true).holes().cloned().collect(),
        }
    }

    pub(super) fn mistake(&self) -> Option<String> {
        let Content::Regex(regex) = self else { return None };
        // With a letter in each hole, as values are inserted escaped.
        let filled = Template::parse_regex(regex, &|_| true).render(&mut |_| Ok::<_, ()>("x".to_owned()));
        compile(regex, &filled.unwrap_or_default()).err()
    }

    pub(super) fn prepare<E>(&self, fill: &mut Fill<'_, E>) -> Result<Wanted, Unprepared<E>> {
        match self {
            Content::Text(template) => template.render(fill.lookup).map(Wanted::Text).map_err(Unprepared::Hole),
            Content::Regex(regex) => {
                let filled = Template::parse_regex(regex, fill.is_known).render(fill.lookup);
                let filled = filled.map_err(Unprepared::Hole)?;
                compile(regex, &filled).map(Wanted::Regex).map_err(Unprepared::Mistake)
            }
        }
    }
}

fn compile(written: &str, regex: &str) -> Result<Regex, String> {
    Regex::new(regex).map_err(|error| format!("invalid regex `{written}`: {error}"))
}

/// The same, its holes filled.
#[derive(Debug)]
pub(super) enum Wanted {
    Text(String),
    Regex(Regex),
}

impl Wanted {
    /// Whether it is there, in a body that may have more to come, of which so much was `seen` without it. Of a regex nobody
    /// knows: it may end in `$`.
    pub(super) fn has_come(&self, body: &[u8], seen: usize) -> bool {
        match self {
            // It may have begun in what was seen.
            Wanted::Text(text) => contains(&body[seen.saturating_sub(text.len())..], text.as_bytes()),
            Wanted::Regex(_) => false,
        }
    }

    /// What is missing in a body that is all there is, in words that follow the status.
    pub(super) fn missing(&self, body: &[u8]) -> Option<String> {
        match self {
            Wanted::Text(text) => {
                (!contains(body, text.as_bytes())).then(|| format!("its body does not contain {text:?}"))
            }
            Wanted::Regex(regex) => {
                let is_match = regex.is_match(&String::from_utf8_lossy(body));
                (!is_match).then(|| format!("its body does not match `{}`", regex.as_str()))
            }
        }
    }
}

fn contains(body: &[u8], text: &[u8]) -> bool {
    text.is_empty() || body.windows(text.len()).any(|window| window == text)
}
