//! Commands: texts that are split, words that are quoted.

use super::input::text;
use crate::command::{Command, CommandFault, sh};
use crate::template::Template;

/// A text splits as it says, or has a fault that can be said, and what is shown of it splits into the same words.
pub(super) fn command(bytes: &[u8]) {
    let source = text(bytes);
    let command = Command::from(&*source);
    say(&command);
    say(&sh(&*source));
    match shell_words::split(&source) {
        Err(_) => assert!(matches!(command.fault(), Some(CommandFault::OpenQuote { .. })), "{source:?}"),
        Ok(words) => {
            assert!(!matches!(command.fault(), Some(CommandFault::OpenQuote { .. })), "{source:?}");
            let holes = words.iter().map(|word| Template::parse(word).holes().count()).sum::<usize>();
            assert_eq!(command.holes().count(), holes);
        }
    }
}

/// Words that are shown as one line are the same words when that line is split again.
pub(super) fn words(bytes: &[u8]) {
    let source = text(bytes);
    let words: Vec<&str> = source.split('\u{1}').collect();
    let command = Command::from(&words);
    say(&command);
    // A control character is spelled in the way of bash, which the splitter does not know.
    if !source.chars().any(|c| c.is_control() && c != '\u{1}') {
        let again = shell_words::split(&command.to_string());
        assert_eq!(again.as_deref(), Ok(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()[..]));
        assert!(!command.to_string().contains('\n'));
    }
}

/// Nothing about it may panic.
fn say(command: &Command) {
    let _ = command.to_string();
    let _ = command.fault().map(ToString::to_string);
    let filled = command.render(&mut |hole| Ok::<_, ()>(hole.text.clone()));
    assert!(filled.is_ok());
}
