//! Names of types, as two test binaries can compare them.
//!
//! What `tests/common/mod.rs` defines is a type of each binary that includes it, and has the name of that binary before its own.

/// `a::common::Db<b::Kind>` is `common::Db<Kind>`.
pub(crate) fn without_crates(type_name: &str) -> String {
    map_paths(type_name, |path| path.split_once("::").map_or(path, |(_, rest)| rest))
}

/// The same for people: in which of the modules it is defined does not matter to them.
pub(crate) fn without_modules(type_name: &str) -> String {
    map_paths(type_name, |path| path.rsplit("::").next().unwrap_or(path))
}

fn map_paths(type_name: &str, shorten: impl Fn(&str) -> &str) -> String {
    let is_in_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let (mut short, mut rest) = (String::new(), type_name);
    while !rest.is_empty() {
        let (path, other) = rest.split_at(rest.find(|c| !is_in_path(c)).unwrap_or(rest.len()));
        let (between, behind) = other.split_at(other.find(is_in_path).unwrap_or(other.len()));
        // What a brace has cut off begins with a separator, and is no crate.
        short.extend([if path.starts_with("::") { path } else { shorten(path) }, between]);
        rest = behind;
    }
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lose_their_crates() {
        assert_eq!(without_crates("a::common::Db<b::Kind, u32>"), "common::Db<Kind, u32>");
        assert_eq!(without_crates("it::serve::{{closure}}"), "serve::{{closure}}");
        assert_eq!(without_crates("it::f::{{closure}}::g"), "f::{{closure}}::g");
    }

    #[test]
    fn people_see_no_modules() {
        assert_eq!(without_modules("pkit_test::Spec<pkit_test::handle::Process>"), "Spec<Process>");
        assert_eq!(without_modules("()"), "()");
    }
}
