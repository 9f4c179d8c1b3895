//! Compile errors, as a user sees them.
//!
//! One file is one rule, and the text beside it is what the compiler prints. After a change of words run this once with
//! `TRYBUILD=overwrite` and read the difference. The words around ours are those of the stable compiler that the
//! repository is checked with; another release may choose others.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// What a function and its callers see. Nothing here is compiled as a test.
#[test]
fn mistakes_are_explained() {
    let cases = trybuild::TestCases::new();
    cases_in("cases").for_each(|case| cases.compile_fail(case));
}

/// One that lies elsewhere would never be looked at.
#[test]
fn no_case_lies_beside_the_directories() {
    assert_eq!(cases_in(".").collect::<Vec<_>>(), [Path::new("./main.rs")]);
}

/// What is only seen where `#[test]` means something, which trybuild does not compile.
#[test]
fn mistakes_with_test_attributes_are_explained() {
    check("in_tests", "check");
}

/// What is only seen when code is generated.
#[test]
fn mistakes_that_only_a_build_sees_are_explained() {
    check("in_builds", "build");
}

fn check(directory: &str, command: &str) {
    let project = Project::new(directory);
    let errors = |case: PathBuf| difference(&case, &project.errors_of(&case, command));
    let wrong: Vec<_> = cases_in(directory).filter_map(errors).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn cases_in(directory: &str) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(directory).expect("the directory of the cases");
    let paths = entries.map(|entry| entry.expect("an entry of the directory").path());
    paths.filter(|path| path.extension() == Some(OsStr::new("rs")))
}

/// A package of its own, whose integration tests are the cases. It builds into our target directory, where most of what
/// it needs is built already.
struct Project {
    directory: PathBuf,
    target: PathBuf,
}

impl Project {
    fn new(name: &str) -> Project {
        let (tmp, here) = (Path::new(env!("CARGO_TARGET_TMPDIR")), Path::new(env!("CARGO_MANIFEST_DIR")));
        let directory = tmp.join(format!("ui-{name}"));
        fs::create_dir_all(directory.join("tests")).expect("create the project");
        fs::write(directory.join("Cargo.toml"), manifest(&here.join("../../pkit-test"))).expect("write its manifest");
        fs::write(directory.join("lib.rs"), "").expect("write its library");
        // The same versions, so that nothing is fetched and nothing is built twice.
        fs::copy(here.join("../../Cargo.lock"), directory.join("Cargo.lock")).expect("copy the lock file");
        Project { directory, target: tmp.with_file_name("") }
    }

    fn errors_of(&self, case: &Path, command: &str) -> String {
        let name = case.file_stem().and_then(OsStr::to_str).expect("cases have plain names");
        fs::copy(case, self.directory.join("tests").join(name).with_extension("rs")).expect("copy the case");
        let output = Command::new(env::var_os("CARGO").expect("tests are run by cargo"))
            .args([command, "--quiet", "--offline", "--color=never", "--test", name])
            .current_dir(&self.directory)
            .env("CARGO_TARGET_DIR", &self.target)
            .env_remove("RUSTFLAGS")
            .output()
            .expect("run cargo");
        let errors = String::from_utf8_lossy(&output.stderr);
        if command == "check" { about_case(&errors) } else { about_use(&errors) }
    }
}

/// The other test attributes, in the versions of the lock file.
const OTHERS: &str = r#"
googletest = { version = "*", default-features = false }
rstest = { version = "*", default-features = false }
serial_test = { version = "*", default-features = false, features = ["async"] }
sqlx = { version = "*", default-features = false, features = ["macros", "migrate", "postgres", "runtime-tokio"] }
test-context = { version = "*", default-features = false }
tokio = { version = "*", default-features = false, features = ["macros", "rt"] }
"#;

fn manifest(pkit_test: &Path) -> String {
    format!(
        "[workspace]\n[package]\nname = \"ui-in-tests\"\nedition = \"2024\"\n[lib]\npath = \"lib.rs\"\n\
         [dependencies]\npkit-test = {{ path = {pkit_test:?} }}\n{OTHERS}"
    )
}

/// What is said of the case itself: not what cargo counts, and no warning of a crate that it needs.
fn about_case(errors: &str) -> String {
    let blocks: Vec<&str> = errors.split("\n\n").filter(|block| block.contains("--> tests/")).collect();
    blocks.join("\n\n").trim_end().to_owned() + "\n"
}

/// What is seen only where code is generated is an error in the library, which says whose use of it that is.
fn about_use(errors: &str) -> String {
    let says_so = |line: &&str| line.starts_with("error[") || line.contains("{closure@");
    errors.lines().filter(says_so).map(|line| format!("{line}\n")).collect()
}

fn difference(case: &Path, found: &str) -> Option<String> {
    let path = case.with_extension("stderr");
    if env::var_os("TRYBUILD").is_some_and(|mode| mode == "overwrite") {
        fs::write(&path, found).expect("write the expected errors");
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    (expected != found).then(|| format!("{}\nEXPECTED:\n{expected}\nFOUND:\n{found}", case.display()))
}
