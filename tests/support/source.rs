//! Rust source as text, without what only looks like code: comments, strings and characters are blanked.
//!
//! A parser would drag `syn` into every build of the tests, and it drops the comments that some rules are about.
//! Blanks keep all other text where it was, so that lines and columns stay true.

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// One file.
#[derive(Debug)]
pub struct Source {
    /// Where it is, below the directory that was read.
    pub path: PathBuf,
    /// As it was written.
    pub text: String,
    /// With everything blanked that is not code.
    pub code: String,
}

/// A word, or one sign (`::` counts as one), and where in the file it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'a> {
    /// The word or sign.
    pub text: &'a str,
    /// Its first byte.
    pub at: usize,
}

impl Source {
    /// A file that need not exist.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>, text: &str) -> Source {
        Source { path: path.into(), text: text.to_owned(), code: blanked(text) }
    }

    /// All Rust files below a directory, in the order of their paths; the build's own directories are left out.
    ///
    /// # Panics
    ///
    /// If there is something that cannot be read: a file that is not looked at breaks no rule.
    #[must_use]
    pub fn all_below(directory: &Path) -> Vec<Source> {
        let mut paths = Vec::new();
        collect(directory, &mut paths);
        paths.sort();
        let read = |path: PathBuf| {
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let below = path.strip_prefix(directory).expect("it was found there").to_owned();
            Source::new(below, &text)
        };
        paths.into_iter().map(read).collect()
    }

    /// The code, word by word.
    #[must_use]
    pub fn tokens(&self) -> Vec<Token<'_>> {
        let bytes = self.code.as_bytes();
        let mut tokens = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let length = token_length(&bytes[at..]);
            if !bytes[at].is_ascii_whitespace() {
                tokens.push(Token { text: &self.code[at..at + length], at });
            }
            at += length;
        }
        tokens
    }

    /// The number of the line that a byte is in, counted from one.
    #[must_use]
    pub fn line_of(&self, at: usize) -> usize {
        1 + self.code.as_bytes()[..at].iter().filter(|&&byte| byte == b'\n').count()
    }
}

fn collect(directory: &Path, paths: &mut Vec<PathBuf>) {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    for path in entries.flatten().map(|entry| entry.path()) {
        let is_ours = !path.ends_with("target") && !path.ends_with(".git");
        if path.is_dir() && is_ours {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

/// Never zero, and never in the middle of a character.
fn token_length(bytes: &[u8]) -> usize {
    let word = bytes.iter().take_while(|&&byte| is_word(byte)).count();
    match bytes {
        _ if word > 0 => word,
        [b':', b':', ..] => 2,
        _ => 1,
    }
}

/// Letters beyond ASCII count as such: outside strings and comments there is nothing else.
fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

fn blanked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let skipped = not_code(text.as_bytes(), at);
        for byte in &mut bytes[skipped.clone()] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = skipped.end.max(at + 1);
    }
    String::from_utf8(bytes).expect("only whole characters are blanked")
}

/// What begins at `at` and is no code; empty if that is code.
fn not_code(text: &[u8], at: usize) -> Range<usize> {
    let rest = &text[at..];
    let length = match rest {
        [b'/', b'/', ..] => rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'\'', ..] => character(rest),
        [b'r' | b'b' | b'c', ..] if at == 0 || !is_word(text[at - 1]) => raw_string(rest),
        _ => 0,
    };
    at..at + length
}

fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0);
    while at < rest.len() {
        let step = match &rest[at..] {
            [b'/', b'*', ..] => (2, 1),
            [b'*', b'/', ..] => (2, -1),
            _ => (1, 0),
        };
        at += step.0;
        depth += step.1;
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// `'x'` or `'\n'`, but not `'static`.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        return quoted(rest, b'\'');
    }
    let width = rest[1..].iter().skip(1).take_while(|&&byte| byte & 0xC0 == 0x80).count() + 1;
    if rest.get(1 + width) == Some(&b'\'') { width + 2 } else { 0 }
}

/// `r"…"`, `r#"…"#`, `br"…"`, `cr"…"`, but not `r#match` and not `break`.
fn raw_string(rest: &[u8]) -> usize {
    let prefix = if rest[0] == b'r' { 1 } else { 2 };
    if rest[0] != b'r' && rest.get(1) != Some(&b'r') {
        return 0;
    }
    let hashes = rest[prefix..].iter().take_while(|&&byte| byte == b'#').count();
    let start = prefix + hashes + 1;
    if rest.get(start - 1) != Some(&b'"') {
        return 0;
    }
    let mut end = vec![b'"'];
    end.resize(1 + hashes, b'#');
    let length = rest[start..].windows(end.len()).position(|window| window == end);
    length.map_or(rest.len(), |length| start + length + end.len())
}
