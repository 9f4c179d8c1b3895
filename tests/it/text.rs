//! Texts that are the same at every run: pids, ports, times and our own paths are taken out of them.

use regex_lite::Regex;

/// What differs from run to run, and what stands for it.
const DIFFERS: &[(&str, &str)] = &[
    (r"\bpids? \d+", "pid N"),
    (r"(127\.0\.0\.1|\[::1\]):\d{4,5}\b", "$1:PORT"),
    (r"\b(port|--port) \d{4,5}\b", "$1 PORT"),
    (r", \d{4,5}\)", ", PORT)"),
    (r"\bin \d+ ms\b", "in N ms"),
    (r"\b\d+ (try|tries)\b", "N tries"),
    (r"(tests/it/[\w/]+\.rs):\d+:\d+", "$1"),
    (r"[^\s'`]*/private/\d+-\d+/", "CHILDREN/"),
    (r"[^\s'`]*/pkit-\d+-[0-9a-f]{6}/", "DIRS/"),
    (r"PATH:( +)/\S+", "PATH:${1}…"),
];

/// The text without what differs from run to run.
pub(crate) fn normalised(text: &str) -> String {
    DIFFERS.iter().fold(text.to_owned(), |text, (pattern, stands_for)| {
        Regex::new(pattern).expect("a sound pattern").replace_all(&text, *stands_for).into_owned()
    })
}
