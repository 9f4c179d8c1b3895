//! Texts that are the same at every run: pids, ports, times and our own paths are taken out of them.

use regex_lite::Regex;

/// What differs from run to run, and what stands for it.
const DIFFERS: &[(&str, &str)] = &[
    (r"(\bpid|`kill) \d+", "$1 N"),
    (r"/\d+\.(\d+-\w+\.\d+)-[0-9a-f]+\.log", "/PID.$1.log"),
    // Newer versions of Rust say more.
    (r"thread '([^']+)' (?:\(\d+\) )?panicked", "$1 panicked"),
    (r"(test did not panic as expected) at .*", "$1"),
    (r"\b(in|after) \d+ ms\b", "$1 N ms"),
    (r"\b\d+ (try|tries)\b", "N tries"),
    (r"(tests/it/[\w/]+\.rs):\d+:\d+", "$1"),
    (r"[-\w./]+/private/\d+-\d+/", "CHILDREN/"),
    (r"[-\w./]+/pkit-\d+-[0-9a-f]{6}/", "DIRS/"),
    (r"[-\w./]+/deps/it-[0-9a-f]+[^`\n]*", "THIS TEST"),
    (r"[-\w./]+/debug/", "TARGET/"),
    // Free ports have five digits, and nothing else in our texts has.
    (r"\b\d{5}\b", "PORT"),
    (r"PATH:( +)/\S+", "PATH:${1}…"),
];

/// The text without what differs from run to run.
pub(crate) fn normalised(text: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default().display().to_string();
    let text = text.replace(env!("CARGO_MANIFEST_DIR"), "HERE").replace(&here, "HERE");
    DIFFERS.iter().fold(text, |text, (pattern, stands_for)| {
        Regex::new(pattern).expect("a sound pattern").replace_all(&text, *stands_for).into_owned()
    })
}
