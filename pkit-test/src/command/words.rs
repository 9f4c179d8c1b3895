//! From what a user may write to the words of a command.

use std::borrow::Cow;

use super::{Command, CommandFault};
use crate::quote;

/// Arguments: a text that is split into words as a shell would, or an array, slice or `Vec` of words as they are.
///
/// ```
/// # use pkit_test::Command;
/// let extra = vec!["--log".to_string(), "two words".to_string()];
/// let app = Command::from("app").args("-v -v").args(["-x"]).args(&extra[..]).args(extra);
/// assert_eq!(app.to_string(), "app -v -v -x --log 'two words' --log 'two words'");
/// ```
///
/// It is implemented for these types and cannot be implemented for others.
pub trait IntoArgs: sealed::IntoWords {}

/// The words of a command or of a part of it.
#[derive(Debug, Default)]
pub struct Words {
    pub(super) words: Vec<String>,
    /// As it was written, or as it could have been in one text.
    pub(super) written: String,
    pub(super) fault: Option<CommandFault>,
}

impl Words {
    pub(super) fn from(args: impl IntoArgs) -> Words {
        sealed::IntoWords::into_words(args)
    }
}

mod sealed {
    pub trait IntoWords {
        fn into_words(self) -> super::Words;
    }
}

/// Splits a text as a shell would.
pub(super) fn split(text: &str) -> Words {
    let written = text.trim_matches([' ', '\t', '\n']).to_owned();
    match shell_words::split(text) {
        Ok(words) if written.contains('\n') => keep(&words),
        Ok(words) => Words { fault: CommandFault::of_words(&words), words, written },
        Err(_) => Words { words: Vec::new(), fault: Some(open_quote(written.clone())), written },
    }
}

fn open_quote(text: String) -> CommandFault {
    let at = quote::unclosed_quote(&text).expect("both readers agree on what is unclosed");
    CommandFault::OpenQuote { text, at }
}

/// Takes words as they are.
fn keep<S: AsRef<str>>(words: &[S]) -> Words {
    let words: Vec<_> = words.iter().map(|word| word.as_ref().to_owned()).collect();
    let written = quote::line(words.iter().map(String::as_str));
    Words { fault: CommandFault::of_words(&words), words, written }
}

macro_rules! texts {
    ($($text:ty),*) => { $(
        impl sealed::IntoWords for $text {
            fn into_words(self) -> Words {
                split(self.as_ref())
            }
        }

        impl IntoArgs for $text {}

        impl From<$text> for Command {
            fn from(text: $text) -> Command {
                Command::from_words(Words::from(text))
            }
        }
    )* };
}

texts!(&str, String, &String, Cow<'_, str>, Box<str>);

macro_rules! lists {
    ($([$($size:tt)*] $list:ty),*) => { $(
        impl<S: AsRef<str> $($size)*> sealed::IntoWords for $list {
            fn into_words(self) -> Words {
                keep(&self[..])
            }
        }

        impl<S: AsRef<str> $($size)*> IntoArgs for $list {}

        impl<S: AsRef<str> $($size)*> From<$list> for Command {
            fn from(words: $list) -> Command {
                Command::from_words(Words::from(words))
            }
        }
    )* };
}

lists!([, const N: usize] [S; N], [, const N: usize] &[S; N], [] &[S], [] Vec<S>, [] &Vec<S>);
