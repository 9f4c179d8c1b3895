//! What can be wrong with how a command was written.

use std::fmt;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use crate::quote;

/// How much of a text after an open quote is shown.
const SHOWN_CHARS: usize = 24;

/// What is wrong with how a command was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CommandFault {
    /// There is no program in it; the text as written.
    Empty(String),
    /// A quote that is never closed, at a byte of the text.
    OpenQuote { text: String, at: usize },
    /// A word with a NUL byte, which no argument of a process can hold.
    Nul(String),
}

impl CommandFault {
    pub(super) fn of_program(path: &Path) -> Option<CommandFault> {
        let bytes = path.as_os_str().as_bytes();
        if bytes.is_empty() {
            return Some(CommandFault::Empty(String::new()));
        }
        bytes.contains(&0).then(|| CommandFault::Nul(path.to_string_lossy().into_owned()))
    }

    pub(super) fn of_words(words: &[String]) -> Option<CommandFault> {
        words.iter().find(|word| word.contains('\0')).map(|word| CommandFault::Nul(word.clone()))
    }
}

impl fmt::Display for CommandFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandFault::Empty(text) if text.trim().is_empty() => write!(f, "the command is empty"),
            CommandFault::Empty(text) => write!(f, "the command `{text}` names no program"),
            CommandFault::OpenQuote { text, at } => {
                let column = text[..*at].chars().count() + 1;
                write!(
                    f,
                    "the quote that opens at column {column} of `{text}` is never closed: {}",
                    excerpt(&text[*at..])
                )
            }
            CommandFault::Nul(word) => write!(f, "the word {} of the command holds a NUL byte", quote::word(word)),
        }
    }
}

fn excerpt(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let dots = if shown.len() < text.len() { "…" } else { "" };
    format!("`{shown}{dots}`")
}
