//! What is known of the other attributes on the function.
//!
//! The compiler's own attributes take no parameters, so that nothing they say can fill one; nor do a few others that are
//! known by their paths. Every attribute that is not known here may do so, and gets the benefit of the doubt.

use syn::{Attribute, Meta, Path};

/// Attributes of the compiler that are content with any parameters.
#[rustfmt::skip]
const INERT: [&str; 22] = [
    "allow", "cfg", "cfg_attr", "cold", "coverage", "deny", "deprecated", "doc", "expect", "export_name", "forbid",
    "ignore", "inline", "link_section", "must_use", "no_mangle", "optimize", "should_panic", "target_feature",
    "track_caller", "used", "warn",
];

/// Test attributes of other crates that fill no parameter.
const TESTS: [[&str; 2]; 4] = [["async_std", "test"], ["tokio", "main"], ["tokio", "test"], ["test_log", "test"]];

/// Those of the crate serial_test, which change when a test runs, and nothing else.
const TURNS: [&str; 4] = ["file_parallel", "file_serial", "parallel", "serial"];

/// Tools whose attributes do nothing to an item.
const TOOLS: [&str; 5] = ["clippy", "diagnostic", "miri", "rust_analyzer", "rustfmt"];

/// Attributes that mean on a `let` what they mean on a parameter.
const FOR_LET: [&str; 6] = ["allow", "cfg", "deny", "expect", "forbid", "warn"];

/// What an attribute does to a function, as far as it matters to one that stands below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Refuses parameters.
    Test,
    /// Takes parameters that it does not know for fixtures.
    Rstest,
    /// The same.
    Googletest,
    /// Fills in one parameter and no other.
    Context,
    /// Fills them all in.
    Sqlx,
    /// Waits for its turn, and takes the parameters away.
    Turn,
}

/// The kind of an attribute, by the words that it is usually imported as.
pub(crate) fn kind(attr: &Attribute) -> Option<Kind> {
    let names = names(attr.path());
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    match names[..] {
        [.., "rstest"] => Some(Kind::Rstest),
        [.., "gtest"] | [.., "googletest", "test"] => Some(Kind::Googletest),
        [.., "test_context"] => Some(Kind::Context),
        [.., "sqlx", "test"] => Some(Kind::Sqlx),
        [.., last] if TURNS.contains(&last) => Some(Kind::Turn),
        [.., "test" | "main"] => Some(Kind::Test),
        _ => None,
    }
}

/// A test attribute of another crate that is known to fill no parameter.
pub(crate) fn is_test_without_parameters(attr: &Attribute) -> bool {
    let names = names(attr.path());
    // In brackets there may be the name of one that does.
    let is_bare = names[0] == "tokio" || matches!(attr.meta, Meta::Path(_));
    is_bare && TESTS.iter().any(|known| names == known[..])
}

/// The `#[test]` of the compiler, also by its full path.
pub(crate) fn is_test(attr: &Attribute) -> bool {
    match &names(attr.path())[..] {
        [test] => test == "test",
        [krate, prelude, _, test] => {
            ["core", "std"].contains(&krate.as_str()) && prelude == "prelude" && test == "test"
        }
        _ => false,
    }
}

/// One case of a table, also an attribute of rstest.
pub(crate) fn is_case(attr: &Attribute) -> bool {
    names(attr.path()).first().is_some_and(|name| name == "case")
}

pub(crate) fn is_should_panic(attr: &Attribute) -> bool {
    attr.path().is_ident("should_panic")
}

/// Whether the attribute takes no parameters of the function.
pub(crate) fn is_inert(attr: &Attribute) -> bool {
    let names = names(attr.path());
    let one_of = |known: &[&str]| names.first().is_some_and(|name| known.contains(&name.as_str()));
    let is_known = is_test(attr) || is_test_without_parameters(attr) || kind(attr) == Some(Kind::Turn);
    is_known || if names.len() == 1 { one_of(&INERT) } else { one_of(&TOOLS) }
}

/// Whether an attribute of a parameter can move with it to a `let`.
pub(crate) fn is_for_let(attr: &Attribute) -> bool {
    FOR_LET.iter().any(|name| attr.path().is_ident(name))
}

fn names(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}
