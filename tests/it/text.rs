//! Texts that are the same at every run: pids, ports, times and our own paths are taken out of them.

use regex_lite::Regex;

/// What differs from run to run, and what stands for it.
const DIFFERS: &[(&str, &str)] = &[
    (r"(\bpid:? +|`kill )\d+", "${1}N"),
    (r"\(process \d+", "(process N"),
    (r"/\d+\.(\d+-\w+\.\d+)-[0-9a-f]+\.log", "/PID.$1.log"),
    // Newer versions of Rust say more.
    (r"thread '([^']+)' (?:\(\d+\) )?panicked", "$1 panicked"),
    (r"(test did not panic as expected) at .*", "$1"),
    // What was measured; what was set stays.
    (r"(pid N, in|ready in|: {3}after|\n {10}after|running after) [\d.]+ (?:µs|ms|s)\b", "$1 N ms"),
    (r"\b\d+ (try|tries)\b", "N tries"),
    (r"\b\d{4}-\d\d-\d\d \d\d:\d\d UTC", "THEN"),
    (r"(tests/it/[\w/]+\.rs):\d+:\d+", "$1"),
    (r"[-\w./]+/private/\d+-\d+/", "CHILDREN/"),
    (r"[-\w./]+/pkit-\d+-[0-9a-f]{6}/", "DIRS/"),
    (r"[-\w./]+/deps/it-[0-9a-f]+[^`\n]*", "THIS TEST"),
    (r"[-\w./]+/debug/", "TARGET/"),
    (r"(a process of) `[^`]+`", "$1 `USER`"),
    // Free ports have five digits, and nothing else in our texts has.
    (r"\b\d{5}\b", "PORT"),
    (r"PATH:( +)/\S+", "PATH:${1}…"),
];

/// The text without what differs from run to run.
pub(crate) fn normalised(text: &str) -> String {
    let here = std::env::current_dir().unwrap_or_default().display().to_string();
    let text = text.replace(env!("CARGO_MANIFEST_DIR"), "HERE").replace(&here, "HERE");
    DIFFERS.iter().fold(without_times(&text), |text, (pattern, stands_for)| replaced(&text, pattern, stands_for))
}

fn replaced(text: &str, pattern: &str, stands_for: &str) -> String {
    Regex::new(pattern).expect("a sound pattern").replace_all(text, stands_for).into_owned()
}

/// What differs in a table of processes: pids, times, and the widths of both.
const DIFFERS_IN_TABLES: &[(&str, &str)] = &[
    (r"[\d.]+ m?s\b", "T"),
    (r"(starting|ready|stopping|ended|died|failed)(, shared)? +\d+", "$1$2  N"),
    (r" {2,}", "  "),
];

/// The text with tables of processes and timelines that are the same at every run.
fn without_times(text: &str) -> String {
    let mut is_table = false;
    let lines = text.split_inclusive('\n').map(|line| {
        is_table |= line.starts_with("--- ") && line.contains(" process") && line.contains(" in ");
        let is_legend = line.starts_with("S= starting");
        let is_inside = is_table && !is_legend;
        is_table = is_inside;
        if is_inside { table_line(line) } else { line.to_owned() }
    });
    lines.collect()
}

/// Of a timeline the signs stay: what is between them is time.
fn table_line(line: &str) -> String {
    let timeline = Regex::new(r"^(\S+) +([<S][-=. SRTxXF>]*)\n$").expect("a sound pattern");
    if let Some(parts) = timeline.captures(line) {
        return format!("{}  {}\n", &parts[1], parts[2].replace(['-', '=', '.', ' '], ""));
    }
    DIFFERS_IN_TABLES.iter().fold(line.to_owned(), |line, (pattern, stands_for)| replaced(&line, pattern, stands_for))
}
