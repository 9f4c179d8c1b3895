//! Templates: of plain texts, of regexes, of scripts.

use std::cell::RefCell;

use regex_lite::Regex;

use super::input::{Input, text};
use crate::template::{Hole, Template, is_name};

/// A plain text means what the grammar says, read here in the slow and simple way; and a value is never read again.
pub(super) fn plain(bytes: &[u8]) {
    let source = text(bytes);
    let template = Template::parse(&source);
    assert_eq!(template.source(), source);
    template.holes().for_each(check_hole);
    let (expected, holes) = by_the_grammar(&source);
    assert_eq!(filled_with(&template, "{port}"), expected);
    assert_eq!(template.holes().map(|hole| hole.text.clone()).collect::<Vec<_>>(), holes);
    if !source.contains('{') {
        assert_eq!(filled_with(&template, "x"), source);
    }
}

/// A regex without known names is itself; a sound one stays sound with other values, and a value matches itself.
pub(super) fn regex(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let value = input.line().into_owned();
    let source = text(input.all());
    assert_eq!(filled_with(&Template::parse_regex(&source, &|_| false), &value), source);
    let template = Template::parse_regex(&source, &|_| true);
    template.holes().for_each(check_hole);
    // A value may be one end of a range, `[{x}-z]`, or a flag, `(?{x})`: there only some make sense, and the start says so.
    let has_places_for_some = source.contains('[') || source.contains("(?");
    // Nothing at all cannot be repeated, and the start says that as well.
    let is_repeated = ["}*", "}+", "}?", "}{"].iter().any(|repeated| source.contains(repeated));
    let has_no_place = value.is_empty() && is_repeated;
    if !has_places_for_some && !has_no_place && Regex::new(&filled_with(&template, "x")).is_ok() {
        let filled = filled_with(&template, &value);
        assert!(Regex::new(&filled).is_ok(), "{source:?} is sound, but not with {value:?}: {filled:?}");
    }
    let itself = filled_with(&Template::parse_regex("^{x}$", &|_| true), &value);
    assert!(Regex::new(&itself).is_ok_and(|regex| regex.is_match(&value)), "{itself:?} does not match {value:?}");
}

/// In a script a value is one word, and nothing but itself, wherever the hole stands.
pub(super) fn script(bytes: &[u8]) {
    let mut input = Input::new(bytes);
    let value = input.line().into_owned() + "'\"";
    let source = text(input.all());
    let template = Template::parse_script(&source);
    template.holes().for_each(check_hole);
    let filled = filled_with(&template, &value);
    // What splits words knows quotes and backslashes, and nothing else of a shell.
    let knows_more = |c: char| "#$`()".contains(c);
    if source.contains(knows_more) || source.contains(PLAIN) || value.contains('\0') {
        return;
    }
    let Ok(words) = shell_words::split(&filled_with(&template, PLAIN)) else { return };
    let expected: Vec<_> = words.iter().map(|word| word.replace(PLAIN, &value)).collect();
    assert_eq!(shell_words::split(&filled), Ok(expected), "{source:?} with {value:?} is {filled:?}");
}

/// A value that needs no quotes anywhere, and that cannot overlap with itself or with what stands beside it.
const PLAIN: &str = "Q";

fn filled_with(template: &Template, value: &str) -> String {
    let filled = template.render(&mut |_| Ok::<_, ()>(value.to_owned()));
    filled.expect("the lookup does not fail")
}

fn check_hole(hole: &Hole) {
    assert!(is_name(hole.name()), "{hole:?}");
    let order = if hole.unordered { "&" } else { "" };
    assert_eq!(hole.text, format!("{{{order}{}}}", hole.path.join(".")));
}

/// The text with every hole filled by `{port}`, and the holes.
fn by_the_grammar(source: &str) -> (String, Vec<String>) {
    let (holes, mut filled, mut at) = (RefCell::new(Vec::new()), String::new(), 0);
    while let Some(next) = source[at..].chars().next() {
        let rest = &source[at..];
        if let Some(hole) =
            rest.strip_prefix('{').and_then(hole_at).filter(|hole| rest[1 + hole.len()..].starts_with('}'))
        {
            filled.push_str(hole);
            at += hole.len() + 2;
        } else if let Some(hole) = hole_at(rest) {
            holes.borrow_mut().push(hole.to_owned());
            filled.push_str("{port}");
            at += hole.len();
        } else {
            filled.push(next);
            at += next.len_utf8();
        }
    }
    (filled, holes.into_inner())
}

/// The hole that the text begins with: up to its first closing brace, and nothing else.
fn hole_at(text: &str) -> Option<&str> {
    let (inside, _) = text.strip_prefix('{')?.split_once('}')?;
    let mut parts = inside.strip_prefix('&').unwrap_or(inside).split('.');
    let is_part = |part: &str| is_name(part) || (!part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    (parts.next().is_some_and(is_name) && parts.all(is_part)).then(|| &text[..inside.len() + 2])
}
