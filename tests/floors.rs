//! The floors of the library: a module names lower floors only. And the other rules that the text itself can break.
//!
//! Each rule is a function from a file to its breaches, so that it can be shown a file that breaks it.
//! What is said in one file about others is in `documents`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use pkit_test_tests::source::{Source, Token};

mod documents;

/// What stands on which floor.
const FLOORS: &[(&str, u32)] = &[
    ("fuzz", 10),
    ("private", 9),
    ("attributes", 9),
    ("fixtures", 9),
    ("preset", 9),
    ("shared", 8),
    ("state", 8),
    ("orchestra", 7),
    ("start", 6),
    ("function", 6),
    ("handle", 5),
    ("spec", 5),
    ("ground", 5),
    ("place", 5),
    ("ready", 4),
    ("guardian", 4),
    ("supervise", 4),
    ("command", 4),
    ("output", 3),
    ("program", 3),
    ("callbacks", 3),
    ("callee", 2),
    ("parcel", 2),
    ("record", 2),
    ("template", 2),
    ("port", 2),
    ("network", 2),
    ("config", 1),
    ("duration", 1),
    ("error", 1),
    ("limits", 1),
    ("exit", 1),
    ("isolation", 1),
    ("signal", 1),
    ("sync", 1),
    ("quote", 1),
    ("sys", 0),
];

/// Who may name whom on the same floor, and why that is no knot.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    ("config", "limits", "what is not set has a default"),
    ("error", "exit", "an error says how a process ended"),
    ("exit", "signal", "a process may end by a signal"),
    ("ready", "guardian", "a probe asks about the run that it watches"),
    ("ready", "command", "a probe may be a command, which knows nothing of probes"),
    ("spec", "handle", "the callbacks that a spec carries are given the handle"),
    ("handle", "spec", "a handle can start its spec again"),
    ("handle", "ground", "it does so on the ground that it was started on"),
    ("handle", "place", "its ports and its directory outlive a run"),
    ("ground", "handle", "an executor shows the process behind its handle"),
    ("ground", "place", "a ground gives places out"),
    ("shared", "state", "a state can be shared, and knows nothing of that"),
];

const MOST_LINES: usize = 500;

/// What a file does that it must not: where, and the rule.
#[derive(Debug)]
struct Breach {
    path: PathBuf,
    line: usize,
    rule: String,
}

impl Breach {
    fn new(source: &Source, at: usize, rule: impl Into<String>) -> Breach {
        Breach { path: source.path.clone(), line: source.line_of(at), rule: rule.into() }
    }
}

#[test]
fn a_module_names_lower_floors_only() {
    check(Source::all_below(&root().join("pkit-test/src")), names_upwards);
}

#[test]
fn every_listed_neighbour_is_named() {
    let sources = Source::all_below(&root().join("pkit-test/src"));
    let names = |from: &str, to: &str| {
        let own =
            sources.iter().filter(|source| module_path(&source.path).first().is_some_and(|module| module == from));
        own.flat_map(uses).any(|(path, _)| path.first().is_some_and(|module| module == to))
    };
    let stale: Vec<_> = NEIGHBOURS.iter().filter(|(from, to, _)| !names(from, to)).collect();
    assert!(stale.is_empty(), "listed, but not needed any more: {stale:?}");
}

#[test]
fn unsafe_and_targets_are_in_sys_alone() {
    check(Source::all_below(&root().join("pkit-test/src")), leaves_sys);
}

#[test]
fn every_unsafe_says_what_makes_it_true() {
    check(Source::all_below(&root()), unexplained_unsafe);
}

#[test]
fn no_file_is_too_long_unfinished_or_silences_lints_for_ever() {
    check(Source::all_below(&root()), unfinished);
}

/// What takes more shows that the traits are wrong.
#[test]
fn an_executor_and_a_probe_of_ones_own_are_short() {
    let executor = block("pkit-test/src/executors.rs", "//! Executors of one's own.\n");
    let probe = block("pkit-test/src/ready/poll.rs", "/// One that speaks a protocol:");
    let lines = [executor, probe].map(|block| shown_lines(&block));
    assert!(lines.iter().all(|lines| (15..40).contains(lines)), "{lines:?}");
}

/// The first example behind a text.
fn block(path: &str, behind: &str) -> String {
    let docs = std::fs::read_to_string(root().join(path)).expect("it is there");
    let example = docs.split(behind).nth(1).and_then(|rest| rest.split("```").nth(1));
    example.expect("there is an example").to_owned()
}

/// The lines of a block that a reader sees and that are not empty.
fn shown_lines(block: &str) -> usize {
    let lines = block.lines().filter_map(|line| line.strip_prefix("//! ").or(line.strip_prefix("/// ")));
    lines.filter(|line| !line.trim().is_empty() && !line.starts_with("# ")).count()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the member lies in the workspace").to_owned()
}

fn check(sources: Vec<Source>, rule: fn(&Source) -> Vec<Breach>) {
    assert!(!sources.is_empty(), "there is nothing to check");
    let breaches: Vec<Breach> = sources.iter().flat_map(rule).collect();
    let list = breaches.iter().fold(String::new(), |mut list, breach| {
        let _ = writeln!(list, "  {}:{}: {}", breach.path.display(), breach.line, breach.rule);
        list
    });
    assert!(breaches.is_empty(), "{} breaches\n{list}", breaches.len());
}

// --- Floors ----------------------------------------------------------------------------------------------------------

fn names_upwards(source: &Source) -> Vec<Breach> {
    let module = module_path(&source.path);
    // The front door shows what is on all floors.
    let Some(own) = module.first() else { return Vec::new() };
    let named = uses(source).into_iter().filter_map(|(path, at)| Some((path.into_iter().next()?, at)));
    let breaches = named.filter_map(|(other, at)| Some(Breach::new(source, at, forbidden(own, &other)?)));
    breaches.collect()
}

/// Why `own` must not name `other`, if so.
fn forbidden(own: &str, other: &str) -> Option<String> {
    let allowed = NEIGHBOURS.iter().any(|&(from, to, _)| from == own && to == other);
    match (floor(own), floor(other)) {
        _ if own == other => None,
        (None, _) => Some(format!("`{own}` has no floor: give it one in the table")),
        (_, None) => Some(format!("`crate::{other}` is on no floor: name the module it is in")),
        (Some(mine), Some(its)) if its > mine => Some(format!("`{own}` [{mine}] names `{other}` [{its}] above it")),
        (Some(mine), Some(its)) if its == mine && !allowed => {
            Some(format!("`{own}` [{mine}] names its neighbour `{other}`: list it, with the reason, or move one"))
        }
        _ => None,
    }
}

fn floor(module: &str) -> Option<u32> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|&(_, floor)| floor)
}

/// `ready/tcp.rs` is `ready::tcp`; `ready/mod.rs` and `ready.rs` are `ready`; `lib.rs` is the root.
fn module_path(path: &Path) -> Vec<String> {
    let stem = path.with_extension("");
    let mut parts: Vec<String> = stem.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib")) {
        parts.pop();
    }
    parts
}

/// All paths that begin with `crate` or `super`, from the root on. Of a group each member is one.
fn uses(source: &Source) -> Vec<(Vec<String>, usize)> {
    let tokens = source.tokens();
    let mut found = Vec::new();
    for start in 0..tokens.len() {
        // What an exported macro says with `$crate` is for its users, who see the front door only.
        let begins = start == 0 || !matches!(tokens[start - 1].text, "::" | "$");
        let path = &tokens[start..];
        // `crate` alone is a visibility.
        if begins && path.get(1).is_some_and(|token| token.text == "::") && path[0].text != "self" {
            let here = enclosing(source, &tokens, start);
            let base = base(&here, path);
            found.extend(
                base.into_iter().flat_map(|(base, rest)| members(&base, rest)).map(|path| (path, tokens[start].at)),
            );
        }
    }
    found
}

/// The module that a token is in: the file's, and those that are opened and not closed in the file before it.
fn enclosing(source: &Source, tokens: &[Token<'_>], end: usize) -> Vec<String> {
    let mut open: Vec<Option<&str>> = Vec::new();
    for at in 0..end {
        match tokens[at].text {
            "{" if at >= 2 && tokens[at - 2].text == "mod" => open.push(Some(tokens[at - 1].text)),
            "{" => open.push(None),
            "}" => drop(open.pop()),
            _ => {}
        }
    }
    let inline = open.into_iter().flatten().map(str::to_owned);
    module_path(&source.path).into_iter().chain(inline).collect()
}

/// The module in which the path `crate::…` or `super::super::…` begins, and what follows.
fn base<'a, 't>(here: &[String], path: &'a [Token<'t>]) -> Option<(Vec<String>, &'a [Token<'t>])> {
    if path[0].text == "crate" {
        return Some((Vec::new(), &path[2..]));
    }
    let (mut module, mut rest) = (here.to_vec(), path);
    while let [Token { text: "super", .. }, Token { text: "::", .. }, tail @ ..] = rest {
        module.pop();
        rest = tail;
    }
    (rest.len() < path.len()).then_some((module, rest))
}

/// The first name of each path of a group, or the only one, below `base`.
fn members(base: &[String], rest: &[Token<'_>]) -> Vec<Vec<String>> {
    let below = |name: &Token<'_>| base.iter().cloned().chain([name.text.to_owned()]).collect();
    match rest {
        [Token { text: "{", .. }, group @ ..] => firsts(group).into_iter().map(below).collect(),
        // All names of a module, which is then the one that is named.
        [Token { text: "*", .. }, ..] => vec![base.to_vec()],
        // A macro is exported to the root wherever it is written.
        [_, Token { text: "!", .. }, ..] | [] => Vec::new(),
        [name, ..] => vec![below(name)],
    }
}

fn firsts<'a, 't>(group: &'a [Token<'t>]) -> Vec<&'a Token<'t>> {
    let (mut depth, mut first, mut found) = (0, true, Vec::new());
    for token in group {
        match token.text {
            "{" => depth += 1,
            "}" if depth == 0 => break,
            "}" => depth -= 1,
            "," if depth == 0 => first = true,
            _ if first => {
                found.push(token);
                first = false;
            }
            _ => {}
        }
    }
    found
}

// --- The other rules -------------------------------------------------------------------------------------------------

fn leaves_sys(source: &Source) -> Vec<Breach> {
    if source.path.starts_with("sys") || source.path == Path::new("sys.rs") {
        return Vec::new();
    }
    let confined = |token: &Token<'_>| matches!(token.text, "unsafe" | "target_os");
    let breach = |token: Token<'_>| Breach::new(source, token.at, format!("`{}` outside of sys", token.text));
    source.tokens().into_iter().filter(confined).map(breach).collect()
}

fn unexplained_unsafe(source: &Source) -> Vec<Breach> {
    let tokens = source.tokens();
    let needs_reason = |pair: &&[Token<'_>]| pair[0].text == "unsafe" && matches!(pair[1].text, "{" | "impl");
    let unexplained = tokens.windows(2).filter(needs_reason).filter(|pair| !is_explained(source, pair[0].at));
    unexplained.map(|pair| Breach::new(source, pair[0].at, "`unsafe` without `// SAFETY:`")).collect()
}

/// A reason on the line, or in the comment above the statement that the line belongs to.
fn is_explained(source: &Source, at: usize) -> bool {
    let number = source.line_of(at);
    let code: Vec<&str> = source.code.lines().collect();
    let text: Vec<&str> = source.text.lines().collect();
    if text[number - 1].contains("// SAFETY:") {
        return true;
    }
    // Blanked comments are empty lines of code: they end no statement.
    let is_boundary = |line: &&str| line.trim_end().ends_with([';', '{', '}']);
    let above = (0..number - 1).rev().take_while(|&line| !is_boundary(&code[line]) && !text[line].trim().is_empty());
    above.into_iter().any(|line| text[line].trim_start().starts_with("// SAFETY:"))
}

fn unfinished(source: &Source) -> Vec<Breach> {
    let mut breaches = Vec::new();
    let lines = source.text.lines().count();
    if lines > MOST_LINES {
        breaches.push(Breach::new(source, 0, format!("{lines} lines: more than one noun")));
    }
    for triple in source.tokens().windows(3) {
        let rule = match [triple[0].text, triple[1].text, triple[2].text] {
            ["[", "allow", "("] => "`allow` stays for ever: `expect` with a reason",
            ["todo" | "unimplemented", "!", _] => "a stub that compiles is a lie",
            _ => continue,
        };
        breaches.push(Breach::new(source, triple[0].at, rule));
    }
    breaches
}

// --- The rules can be broken -----------------------------------------------------------------------------------------

fn rules(rule: fn(&Source) -> Vec<Breach>, path: &str, text: &str) -> Vec<String> {
    rule(&Source::new(path, text)).into_iter().map(|breach| format!("{}: {}", breach.line, breach.rule)).collect()
}

#[track_caller]
fn names(path: &str, text: &str, expected: &[&str]) {
    let found = uses(&Source::new(path, text));
    let found: Vec<String> = found.into_iter().map(|(path, _)| path.join("::")).collect();
    assert_eq!(found, expected, "in {text:?}");
}

#[test]
fn blanks_all_that_is_no_code() {
    let blanked = |text: &str| Source::new("a.rs", text).code.split_whitespace().collect::<Vec<_>>().join(" ");
    for (text, code) in [
        ("a // unsafe\nb", "a b"),
        ("a /* x /* unsafe */ y */ b", "a b"),
        (r#"a("unsafe \" still", b)"#, "a( , b)"),
        ("a(r#\"unsafe \" still\"#, b)", "a( , b)"),
        ("a(br\"\\\", b)", "a( , b)"),
        ("'\"' + '\\'' + 'ü' + 'b'", "+ + +"),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
        ("r#match + bar\"x\"", "r#match + bar"),
    ] {
        assert_eq!(blanked(text), code, "of {text:?}");
    }
}

#[test]
fn blanks_keep_lines_and_columns() {
    let source = Source::new("a.rs", "/* ü\n*/ \"ä\nö\" unsafe");
    let token = source.tokens()[0];
    assert_eq!((token.text, source.line_of(token.at)), ("unsafe", 3));
    assert_eq!(source.code.len(), source.text.len());
}

#[test]
fn finds_what_a_file_names() {
    names("ready/tcp.rs", "use crate::port::Port; use super::Probe;", &["port", "ready::Probe"]);
    names("ready/tcp.rs", "use crate::{error::{A, B}, sys::c as d, limits};", &["error", "sys", "limits"]);
    names("ready/mod.rs", "fn f() -> crate::error::Error { super::start::go() }", &["error", "start"]);
    names("port.rs", "mod tests { use super::*; fn f() { super::super::spec::g() } }", &["port", "spec"]);
    names("port.rs", "mod tests { } use super::spec;", &["spec"]);
    names("port.rs", "pub(crate) fn f() { pub(in crate::port) g; std::io::x(); crate::bin!() }", &["port"]);
    names("port.rs", "macro_rules! m { () => { $crate::__private::f() } }", &[]);
    names("port.rs", "//! crate::spec\n\"crate::start\"", &[]);
}

#[test]
fn refuses_to_look_up() {
    let found = rules(names_upwards, "port.rs", "use crate::sys::a;\nuse crate::spec::Spec;\n");
    assert_eq!(found, ["2: `port` [2] names `spec` [5] above it"]);
    assert!(rules(names_upwards, "lib.rs", "use crate::spec::Spec;").is_empty());
    assert!(rules(names_upwards, "ready/tcp.rs", "use crate::ready::Probe; use super::http;").is_empty());
}

#[test]
fn refuses_neighbours_that_nobody_listed() {
    let found = rules(names_upwards, "port.rs", "use crate::template::Hole;");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(rules(names_upwards, "spec.rs", "use crate::command::Command;").is_empty());
}

#[test]
fn refuses_what_has_no_floor() {
    assert_eq!(rules(names_upwards, "spec.rs", "use crate::Error;").len(), 1);
    assert_eq!(rules(names_upwards, "attic.rs", "use crate::sys::a;").len(), 1);
}

#[test]
fn refuses_unsafe_and_targets_outside_sys() {
    let text = "#![deny(unsafe_code)]\nunsafe { a() }\n#[cfg(target_os = \"linux\")]\nfn b() {}";
    assert_eq!(rules(leaves_sys, "port.rs", text), ["2: `unsafe` outside of sys", "3: `target_os` outside of sys"]);
    assert!(rules(leaves_sys, "sys/linux/spawn.rs", text).is_empty());
}

#[test]
fn refuses_unsafe_without_a_reason() {
    for text in [
        "// SAFETY: a.\nunsafe { a() };",
        "// SAFETY: a,\n// and b.\nlet x =\n    unsafe { a() };",
        "let x = unsafe { a() }; // SAFETY: a.",
        "// SAFETY: a.\nunsafe impl Send for A {}",
        "// SAFETY: a.\n#[inline]\nlet x = unsafe { a() };",
        "unsafe fn f() {}",
        "// no unsafe { here }",
    ] {
        assert!(rules(unexplained_unsafe, "a.rs", text).is_empty(), "refused {text:?}");
    }
    for text in [
        "unsafe { a() };",
        "// Calls a.\nunsafe { a() };",
        "// SAFETY: a.\nb();\nunsafe { a() };",
        "// SAFETY: a.\n\nunsafe { a() };",
        "unsafe impl Send for A {}",
    ] {
        assert_eq!(rules(unexplained_unsafe, "a.rs", text).len(), 1, "passed {text:?}");
    }
}

#[test]
fn refuses_what_is_unfinished() {
    assert_eq!(rules(unfinished, "a.rs", "#[allow(dead_code)] fn f() { todo!() }").len(), 2);
    assert_eq!(rules(unfinished, "a.rs", "#![allow(dead_code)]").len(), 1);
    assert_eq!(rules(unfinished, "a.rs", &"\n".repeat(MOST_LINES + 1)).len(), 1);
    assert!(rules(unfinished, "a.rs", "#[expect(dead_code, reason = \"todo!()\")] fn allow(a: u8) {}").is_empty());
}
