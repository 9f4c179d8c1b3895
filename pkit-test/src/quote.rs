//! Quoting for `/bin/sh`: words that people may copy, and values that are put into a script.
//!
//! A value must stay one value wherever it lands. Outside of quotes a space would split it, inside of
//! quotes a quote would end them; so what has to be escaped depends on the place, and [`Script`] follows a
//! script just far enough to know it. It does not know here-documents and `case` patterns inside `$( )`.
//! There it may take one place for another, which only matters for values that are not plain words: ports,
//! addresses and ordinary paths are the same text in all places.
//!
//! And what others have said or are called, as a part of a line for people.

use std::borrow::Cow;

mod types;

pub(crate) use types::{without_crates, without_modules};

/// `text` as one word of a command line, quoted only if a shell would read it in another way.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    if text.chars().any(char::is_control) {
        // One line for people: a newline in plain quotes would tear the report apart.
        return Cow::Owned(ansi_c(text));
    }
    if is_plain_for_people(text) { Cow::Borrowed(text) } else { Cow::Owned(single(text)) }
}

/// The words as one command line.
pub(crate) fn line<'a>(words: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = words.into_iter().map(word).collect();
    quoted.join(" ")
}

/// As much of somebody's text as fits into a line, which stays one and does nothing to a terminal.
pub(crate) fn one_line(text: &str, most_chars: usize) -> Cow<'_, str> {
    if text.len() <= most_chars && !text.contains(char::is_control) {
        return Cow::Borrowed(text);
    }
    let mut shown: String = text.chars().take(most_chars).flat_map(visible).collect();
    if text.chars().nth(most_chars).is_some() {
        shown.push('…');
    }
    Cow::Owned(shown)
}

fn visible(c: char) -> Vec<char> {
    if c.is_control() { c.escape_default().collect() } else { vec![c] }
}

/// Where in a script something stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    Bare,
    SingleQuotes,
    DoubleQuotes,
    Comment,
    /// Right behind a backslash, outside of quotes and in double ones.
    Escaped,
    EscapedInDoubleQuotes,
}

impl Place {
    /// The text that stands for `value` at this place, and is nothing but `value` to the shell.
    pub(crate) fn quote(self, value: &str) -> Cow<'_, str> {
        if is_plain(value) {
            return Cow::Borrowed(value);
        }
        Cow::Owned(match self {
            Place::Bare => single(value),
            Place::SingleQuotes => value.replace('\'', r"'\''"),
            Place::DoubleQuotes => escape(value, &['$', '`', '"', '\\']),
            Place::Comment => value.replace('\n', " "),
            // The backslash would take away the meaning of our own quote. It is given something to take: a line break, which
            // goes with it, or between quotes a second one, as it stays before a letter there.
            Place::Escaped => format!("\n{}", single(value)),
            Place::EscapedInDoubleQuotes => format!("\\{}", escape(value, &['$', '`', '"', '\\'])),
        })
    }
}

/// Follows a script from its beginning and knows the place of what comes next.
#[derive(Debug, Default)]
pub(crate) struct Script {
    nested: Vec<Level>,
    escaped: bool,
    last: Option<char>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Level {
    SingleQuotes,
    DoubleQuotes,
    Comment,
    Parenthesis,
    Backtick,
}

impl Script {
    pub(crate) fn place(&self) -> Place {
        match (self.nested.last(), self.escaped) {
            (Some(Level::SingleQuotes), _) => Place::SingleQuotes,
            (Some(Level::Comment), _) => Place::Comment,
            (Some(Level::DoubleQuotes), false) => Place::DoubleQuotes,
            (Some(Level::DoubleQuotes), true) => Place::EscapedInDoubleQuotes,
            (Some(Level::Parenthesis | Level::Backtick) | None, false) => Place::Bare,
            (Some(Level::Parenthesis | Level::Backtick) | None, true) => Place::Escaped,
        }
    }

    /// Reads on in the script's own text.
    pub(crate) fn read(&mut self, text: &str) {
        for next in text.chars() {
            self.step(next);
            self.last = Some(next);
        }
    }

    /// Passes a value, which is inserted so that it changes nothing but that a word has begun.
    pub(crate) fn pass_value(&mut self) {
        self.escaped = false;
        self.last = Some('x');
    }

    fn step(&mut self, next: char) {
        if std::mem::take(&mut self.escaped) {
            return;
        }
        match self.place() {
            Place::SingleQuotes => self.leave_at(next == '\''),
            Place::Comment => self.leave_at(next == '\n'),
            Place::DoubleQuotes => self.step_in_double_quotes(next),
            Place::Bare => self.step_bare(next),
            Place::Escaped | Place::EscapedInDoubleQuotes => unreachable!("what a backslash takes is passed above"),
        }
    }

    fn step_in_double_quotes(&mut self, next: char) {
        match next {
            '\\' => self.escaped = true,
            '"' => self.leave_at(true),
            '(' if self.last == Some('$') => self.nested.push(Level::Parenthesis),
            '`' => self.backtick(),
            _ => {}
        }
    }

    fn step_bare(&mut self, next: char) {
        match next {
            '\\' => self.escaped = true,
            '\'' => self.nested.push(Level::SingleQuotes),
            '"' => self.nested.push(Level::DoubleQuotes),
            '(' => self.nested.push(Level::Parenthesis),
            ')' => self.leave_at(self.nested.last() == Some(&Level::Parenthesis)),
            '`' => self.backtick(),
            '#' if self.at_word_start() => self.nested.push(Level::Comment),
            _ => {}
        }
    }

    fn backtick(&mut self) {
        if self.nested.last() == Some(&Level::Backtick) {
            self.nested.pop();
        } else {
            self.nested.push(Level::Backtick);
        }
    }

    fn leave_at(&mut self, end: bool) {
        if end {
            self.nested.pop();
        }
    }

    fn at_word_start(&self) -> bool {
        self.last.is_none_or(|last| last.is_whitespace() || ";&|()`".contains(last))
    }
}

/// Where the quote opens that nothing closes, as a byte offset. The rules are those of `shell_words`, whose
/// error does not say it.
pub(crate) fn unclosed_quote(text: &str) -> Option<usize> {
    let mut open: Option<(usize, char)> = None;
    let mut comment = false;
    let mut word_start = true;
    let mut chars = text.char_indices();
    while let Some((at, next)) = chars.next() {
        match (open, next) {
            _ if comment => comment = next != '\n',
            (None, '#') if word_start => comment = true,
            (Some((_, quote)), _) if next == quote => open = None,
            (Some((_, '\'')), _) => {}
            // A continued line leaves everything as it was.
            (_, '\\') if chars.next().is_some_and(|(_, escaped)| escaped == '\n') => continue,
            (None, '\'' | '"') => open = Some((at, next)),
            _ => {}
        }
        word_start = open.is_none() && matches!(next, ' ' | '\t' | '\n');
    }
    open.map(|(at, _)| at)
}

/// Whether the text is itself everywhere in a script.
fn is_plain(text: &str) -> bool {
    // `~` and `=` mean something at some beginnings only, `{a,b}` only to some shells.
    let plain = |c: char| c.is_alphanumeric() || "@%+=:./-_,^".contains(c);
    let all_plain = text.chars().all(plain);
    all_plain && !text.is_empty()
}

/// The same, but with the holes of a template unquoted: braces alone mean nothing, only `{a,b}`, `{1..3}` and a
/// brace that is the whole word.
fn is_plain_for_people(text: &str) -> bool {
    let expands = text.contains('{') && (text.contains(',') || text.contains(".."));
    let group = text == "{" || text == "}";
    !expands && !group && !text.is_empty() && is_plain(&text.replace(['{', '}'], "_"))
}

fn single(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn escape(text: &str, special: &[char]) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if special.contains(&c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

/// `$'…'` of bash, zsh, ksh and POSIX 2024, which can spell control characters.
fn ansi_c(text: &str) -> String {
    let spelled: String = text.chars().map(ansi_c_char).collect();
    format!("$'{spelled}'")
}

fn ansi_c_char(c: char) -> Cow<'static, str> {
    match c {
        '\'' => Cow::Borrowed(r"\'"),
        '\\' => Cow::Borrowed(r"\\"),
        '\n' => Cow::Borrowed(r"\n"),
        '\t' => Cow::Borrowed(r"\t"),
        '\r' => Cow::Borrowed(r"\r"),
        // Four digits, because bash would take a hexadecimal digit that follows for a part of fewer.
        c if c.is_control() => Cow::Owned(format!(r"\u{:04x}", u32::from(c))),
        c => Cow::Owned(c.to_string()),
    }
}

#[cfg(test)]
mod tests;
