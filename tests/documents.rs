//! What one file says of another: every file is built, every module is on the map, and every link leads somewhere.
//!
//! A merge can bring back a file that nobody names any more, and a test that is renamed leaves its name in the documents.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use pkit_test_tests::source::Source;

use super::{FLOORS, root};

/// Where the links and the names of tests stand.
const DOCUMENTS: &[&str] = &["README.md", "ARCHITECTURE.md", "GOTCHAS.md", "CONTRIBUTING.md", "CHANGELOG.md"];

/// Below these every file belongs to a crate. Elsewhere cargo finds the files by itself, or they are data.
const BUILT: &[&str] = &["pkit-test/src", "pkit-test-macros/src", "tests", "benches/src", "xtask/src"];

#[test]
fn every_file_is_built() {
    let roots = BUILT.iter().map(|below| root().join(below));
    let sources: Vec<Source> = roots.flat_map(|below| Source::all_below(&below)).collect();
    // The sources of `tests/ui` are data, but for its driver.
    let sources = sources.into_iter().filter(|source| !source.path.starts_with("ui")).collect::<Vec<_>>();
    let manifests =
        ["tests", "tests/crash/victim", "tests/shared/crowd"].map(|package| read(&format!("{package}/Cargo.toml")));
    let forgotten = in_no_build(&sources, &manifests);
    assert!(forgotten.is_empty(), "in no build: {forgotten:?}");
}

#[test]
fn every_module_is_on_the_map() {
    let map = read("ARCHITECTURE.md");
    let is_there = |name: &str| {
        let file = root().join("pkit-test/src").join(name);
        file.with_extension("rs").exists() || file.exists()
    };
    let modules = FLOORS.iter().filter(|(name, _)| is_there(name)).map(|&(name, floor)| (name.to_owned(), floor));
    let sys = Source::all_below(&root().join("pkit-test/src/sys"));
    let sys = sys.iter().find(|source| source.path == Path::new("mod.rs")).expect("the list of modules");
    let below_sys = declared(sys).into_iter().map(|name| (name, 0));
    let missing: Vec<_> = modules.chain(below_sys).filter(|(name, floor)| !is_on_map(&map, name, *floor)).collect();
    assert!(missing.is_empty(), "not in the table of ARCHITECTURE.md: {missing:?}");
}

#[test]
fn every_link_leads_somewhere() {
    let broken: Vec<String> = DOCUMENTS
        .iter()
        .flat_map(|name| broken_links(&read(name)).into_iter().map(move |why| name.to_string() + &why))
        .collect();
    assert!(broken.is_empty(), "{}", broken.join("\n"));
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What no file declares as a module, and no manifest or attribute names by its path.
fn in_no_build<'a>(sources: &'a [Source], manifests: &[String]) -> Vec<&'a Path> {
    let modules: HashSet<PathBuf> = sources.iter().flat_map(files_of_modules).collect();
    let texts = manifests.iter().chain(sources.iter().map(|source| &source.text));
    let named: Vec<&str> = texts.flat_map(|text| paths_in(text)).collect();
    let is_built = |path: &Path| {
        let is_root = ["lib.rs", "main.rs", "build.rs"].iter().any(|name| path.ends_with(name));
        is_root || modules.contains(path) || named.iter().any(|name| path.ends_with(name))
    };
    sources.iter().map(|source| source.path.as_path()).filter(|path| !is_built(path)).collect()
}

/// Where the modules may be that a file declares: beside it, or below its own name.
fn files_of_modules(source: &Source) -> Vec<PathBuf> {
    let beside = source.path.with_file_name("");
    let places = [beside, source.path.with_extension("")];
    let files = |name: String| {
        places.iter().flat_map(move |place| [place.join(format!("{name}.rs")), place.join(&name).join("mod.rs")])
    };
    declared(source).into_iter().flat_map(files).collect()
}

/// The files of `path = "…"`, in manifests and in attributes.
fn paths_in(text: &str) -> impl Iterator<Item = &str> {
    let named = text.split("path = \"").skip(1).filter_map(|rest| rest.split('"').next());
    named.filter(|path| path.ends_with(".rs")).map(|path| path.trim_start_matches("../"))
}

/// The modules that a file declares and does not have in it.
fn declared(source: &Source) -> Vec<String> {
    let tokens = source.tokens();
    let modules = tokens.windows(3).filter(|words| words[0].text == "mod" && words[2].text == ";");
    modules.map(|words| words[1].text.to_owned()).collect()
}

/// The rows of a floor begin with its number.
fn is_on_map(map: &str, name: &str, floor: u32) -> bool {
    let mut rows = map.lines().filter(|line| line.starts_with(&format!("| {floor} |")));
    rows.any(|row| row.contains(&format!("`{name}`")) || row.contains(&format!("`{name}/`")))
}

/// What is wrong with the links of a document, each with its line.
fn broken_links(document: &str) -> Vec<String> {
    let lines = document.lines().zip(1..);
    let links = lines.flat_map(|(line, number)| links_in(line).map(move |link| (number, link)));
    links.filter_map(|(number, (text, target))| Some(format!(":{number}: {}", trouble(text, target)?))).collect()
}

/// The text and the target of each `[text](target)`.
fn links_in(line: &str) -> impl Iterator<Item = (&str, &str)> {
    line.match_indices("](").filter_map(|(at, between)| {
        let text = &line[line[..at].rfind('[')? + 1..at];
        let rest = &line[at + between.len()..];
        Some((text, &rest[..rest.find(')')?]))
    })
}

fn trouble(text: &str, target: &str) -> Option<String> {
    let path = target.split('#').next().filter(|path| !path.is_empty() && !path.contains("://"))?;
    let place = root().join(path);
    if !place.exists() {
        return Some(format!("{path} is not there"));
    }
    // `file.rs::name_of_a_test`
    let test = text.trim_matches('`').split_once(".rs::")?.1.rsplit("::").next()?;
    let source = Source::new(path, &fs::read_to_string(&place).ok()?);
    let has_test = source.tokens().windows(2).any(|words| words[0].text == "fn" && words[1].text == test);
    (!has_test).then(|| format!("no `{test}` in {path}"))
}

#[test]
fn finds_what_is_in_no_build() {
    let sources = [
        ("server.rs", "mod kept;"),
        ("server/kept.rs", ""),
        ("server/keep.rs", "impl Guardian {}"),
        ("lib.rs", "mod server; #[path = \"fuzz/mod.rs\"] mod __fuzz; mod inline {}"),
        ("fuzz/mod.rs", ""),
        ("child.rs", ""),
        ("inline.rs", ""),
    ]
    .map(|(path, text)| Source::new(path, text));
    let manifests = ["path = \"../child.rs\"".to_owned()];
    assert_eq!(in_no_build(&sources, &manifests), [Path::new("server/keep.rs"), Path::new("inline.rs")]);
}

#[test]
fn finds_what_is_on_no_map() {
    let map = "| 4 | `ready/`, `command/` | questions |\n| 0 | `sys/` | `bell` |\n";
    assert!(is_on_map(map, "command", 4) && is_on_map(map, "bell", 0));
    assert!(!is_on_map(map, "command", 0) && !is_on_map(map, "held", 0));
}

#[test]
fn finds_links_that_lead_nowhere() {
    let at = "tests/documents.rs";
    let good = format!("[a]({at}#x) [`{at}::finds_what_is_on_no_map`]({at}) [b](https://c) [d](#e)");
    assert_eq!(broken_links(&good), [""; 0]);
    let bad = format!("\n[gone](tests/gone.rs), [`{at}::finds_nothing`]({at})");
    assert_eq!(broken_links(&bad), [":2: tests/gone.rs is not there", ":2: no `finds_nothing` in tests/documents.rs"]);
}
