//! Names before people: keys and processes may be called as they like, and what is said of them stays one line of sane length, which
//! does nothing to a terminal.

use std::borrow::Cow;

use crate::limits::SHOWN_CHARS;
use crate::quote::one_line;

/// The name, or the first part of it, with what is no text escaped.
pub(crate) fn plain(name: &str) -> Cow<'_, str> {
    one_line(name, SHOWN_CHARS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_shown_as_it_is_where_that_is_text() {
        assert_eq!(plain("jobs/done – größer"), "jobs/done – größer");
        assert_eq!(plain("a\nb\u{1b}[31m\0"), "a\\nb\\u{1b}[31m\\u{0}");
        assert_eq!(plain(&"ü".repeat(SHOWN_CHARS)), "ü".repeat(SHOWN_CHARS));
        assert_eq!(plain(&"k".repeat(1 << 20)), format!("{}…", "k".repeat(SHOWN_CHARS)));
    }
}
