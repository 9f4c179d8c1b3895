//! The documentation of the order is what the tests say: its table is written from them, and its blocks are pieces of them.
//!
//! After a change run the tests once with `UPDATE_EXPECT=1`, and read the difference.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::process::Command;
use std::{env, fs};

use crate::source::{Function, functions, path, text};

const PAGE: &str = "../pkit-test/src/attributes.rs";

const BEGIN: &str = "//! | from top to bottom | works | what to know | test |\n//! |---|---|---|---|\n";

/// The files whose functions pass, in the order of the table.
const PASS: [&str; 6] = ["plain", "runtime", "cases", "fixtures", "others", "database"];

/// Those of which the compiler says something, with ours or without.
const REFUSED: [&str; 8] = [
    "below_test",
    "below_tokio_main",
    "below_rstest",
    "below_rstest_with_an_argument",
    "below_googletest",
    "below_test_context",
    "below_serial",
    "below_sqlx",
];

/// Where a test is that is not run with the others.
const ENDS: &str = "crash/victim/src/ends/main.rs";

#[test]
fn the_table_of_the_documentation_is_what_the_tests_say() {
    let page = text(PAGE);
    let (head, tail) = page.split_once(BEGIN).expect("the page has a table");
    let end = tail.find("//!\n").expect("something follows the table");
    let table = table();
    if env::var_os("UPDATE_EXPECT").is_some() {
        return fs::write(path(PAGE), format!("{head}{BEGIN}{table}{}", &tail[end..])).unwrap();
    }
    for (written, said) in tail[..end].lines().zip(table.lines()) {
        assert_eq!(written, said, "UPDATE_EXPECT=1 writes it");
    }
    assert_eq!(tail[..end].lines().count(), table.lines().count(), "UPDATE_EXPECT=1 writes it");
}

#[test]
fn every_block_of_the_documentation_is_a_piece_of_a_test() {
    let sources: Vec<String> = PASS.iter().map(|name| flat(&text(&source_of(name)))).chain([postgres()]).collect();
    let page = text(PAGE);
    let blocks: Vec<&str> =
        page.split("//! ```text\n").skip(1).filter_map(|rest| rest.split("//! ```").next()).collect();
    assert!(blocks.len() > 3, "there are blocks");
    for block in blocks {
        for piece in block.split("//!\n") {
            let code = flat(&piece.replace("//! ", ""));
            assert!(sources.iter().any(|source| source.contains(&code)), "in no test:\n{piece}");
        }
    }
}

#[test]
fn every_row_is_a_test_that_is_run() {
    let output = Command::new(env::current_exe().unwrap()).args(["--list", "--format", "terse"]).output().unwrap();
    let list = String::from_utf8(output.stdout).unwrap();
    let tests: BTreeSet<&str> = list.lines().filter_map(|line| line.strip_suffix(": test")).collect();
    for name in PASS {
        for function in functions(&text(&source_of(name))) {
            let full = format!("{name}::{}", function.name);
            let cases = format!("{full}::");
            assert!(tests.iter().any(|test| *test == full || test.starts_with(&cases)), "{full} is not run");
        }
    }
}

/// Every file of a wrong order has a row, so that none is forgotten.
#[test]
fn every_wrong_order_has_a_row() {
    let files = fs::read_dir(path("ui/in_tests")).unwrap().map(|file| file.unwrap().path());
    let names = files.filter(|file| file.extension().is_some_and(|extension| extension == "rs"));
    let names = names.map(|file| file.file_stem().unwrap().to_string_lossy().into_owned());
    let wrong: BTreeSet<String> = names.filter(|name| name.starts_with("below_")).collect();
    assert_eq!(wrong, REFUSED.iter().map(|&name| name.to_owned()).collect());
}

fn table() -> String {
    let mut table = String::new();
    for name in PASS {
        for function in functions(&text(&source_of(name))) {
            row(&mut table, &function, "yes", &function.comment, &format!("{name}::{}", function.name));
        }
    }
    for function in functions(&text(ENDS)) {
        row(&mut table, &function, "yes", &function.comment, &format!("crash: {}", function.name));
    }
    for name in REFUSED {
        let errors = text(&format!("ui/in_tests/{name}.stderr"));
        for function in functions(&text(&format!("ui/in_tests/{name}.rs"))) {
            let error = ours_within(&errors, &function);
            let (works, what) = match &error {
                Some(error) => ("no", format!("{} <br> error: {}", function.comment, error.replace('|', r"\|"))),
                None => ("yes", function.comment.clone()),
            };
            row(&mut table, &function, works, &what, &format!("ui: {name}"));
        }
    }
    table
}

fn row(table: &mut String, function: &Function, works: &str, what: &str, test: &str) {
    let order: Vec<String> = function.attributes.iter().map(|path| format!("`{path}`")).collect();
    let _ = writeln!(table, "//! | {} | {works} | {what} | `{test}` |", order.join(" "));
}

/// Our error at one of the lines of the function: blocks are `error: …`, ` --> file:line:column`, and more.
fn ours_within(errors: &str, function: &Function) -> Option<String> {
    let blocks = errors.split("\n\n").filter(|block| block.contains("the attribute macro `with_processes`"));
    let mut here = blocks.filter(|block| line_of(block).is_some_and(|line| function.lines.contains(&line)));
    here.next()?.lines().next()?.strip_prefix("error: ").map(str::to_owned)
}

fn line_of(block: &str) -> Option<usize> {
    block.lines().find_map(|line| line.trim_start().strip_prefix("--> "))?.split(':').nth(1)?.parse().ok()
}

fn source_of(name: &str) -> String {
    format!("attributes/{name}.rs")
}

fn postgres() -> String {
    flat(&text("attributes/postgres.rs"))
}

/// The words without what is between them: an example is laid out as one, and a test as one.
fn flat(code: &str) -> String {
    code.split_whitespace().collect()
}
