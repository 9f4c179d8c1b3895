//! What is known of the other attributes on the function.
//!
//! The compiler's own attributes take no parameters, so that nothing they say can fill one. Every attribute that is not
//! known here may do so, and gets the benefit of the doubt.

use syn::{Attribute, Path};

/// Attributes of the compiler that are content with any parameters.
#[rustfmt::skip]
const INERT: [&str; 22] = [
    "allow", "cfg", "cfg_attr", "cold", "coverage", "deny", "deprecated", "doc", "expect", "export_name", "forbid",
    "ignore", "inline", "link_section", "must_use", "no_mangle", "optimize", "should_panic", "target_feature",
    "track_caller", "used", "warn",
];

/// Tools whose attributes do nothing to an item.
const TOOLS: [&str; 5] = ["clippy", "diagnostic", "miri", "rust_analyzer", "rustfmt"];

/// Attributes that mean on a `let` what they mean on a parameter.
const FOR_LET: [&str; 6] = ["allow", "cfg", "deny", "expect", "forbid", "warn"];

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

/// The attribute of the crate rstest, however it is imported.
pub(crate) fn is_rstest(attr: &Attribute) -> bool {
    names(attr.path()).last().is_some_and(|name| name == "rstest")
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
    is_test(attr) || if names.len() == 1 { one_of(&INERT) } else { one_of(&TOOLS) }
}

/// Whether an attribute of a parameter can move with it to a `let`.
pub(crate) fn is_for_let(attr: &Attribute) -> bool {
    FOR_LET.iter().any(|name| attr.path().is_ident(name))
}

fn names(path: &Path) -> Vec<String> {
    path.segments.iter().map(|segment| segment.ident.to_string()).collect()
}
