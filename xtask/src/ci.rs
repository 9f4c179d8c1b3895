//! `cargo xtask ci`: everything that must hold before a change is taken, quick things first.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::fuzz;
use crate::gauntlet::{Gauntlet, Verdict};
use crate::outside::{self, has_program};
use crate::run::{cargo, check, tests};
use crate::{root, target_directory, test};

/// The oldest Rust that must do; also in the workspace manifest.
const MSRV: &str = "1.85";

/// Where it must compile. There is no machine to run it on.
const OTHER_TARGETS: [&str; 2] = ["aarch64-apple-darwin", "x86_64-unknown-freebsd"];

/// A Linux with another C library, and everything in one static file.
const MUSL: &str = "x86_64-unknown-linux-musl";

/// What is published.
const LIBRARIES: [&str; 4] = ["--package", "pkit-test-macros", "--package", "pkit-test"];

/// Runs the gauntlet.
pub(crate) fn run(gauntlet: &mut Gauntlet) {
    gauntlet.step("fmt", || check(cargo(&["fmt", "--all", "--check"])));
    gauntlet.step("clippy", || check(cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])));
    gauntlet.step("floors", || tests(cargo(&["test", "--package", "pkit-test-tests", "--test", "floors"])));
    test::run(gauntlet);
    gauntlet.step(format!("core tests on Rust {MSRV}"), msrv);
    for feature in features() {
        gauntlet.step(format!("feature {feature}"), || with_feature(&feature));
    }
    for target in OTHER_TARGETS {
        gauntlet.step(format!("check {target}"), || for_target(target));
    }
    gauntlet.step(format!("suite on {MUSL}"), musl);
    gauntlet.step("docs", docs);
    gauntlet.step("package", || check(cargo(&[&["package", "--allow-dirty"], &LIBRARIES[..]].concat())));
    gauntlet.step("minimal versions", minimal_versions);
    gauntlet.step("deny", || with_tool("cargo-deny", &["deny", "--workspace", "check"]));
    gauntlet.step("typos", typos);
    gauntlet.step("semver", semver);
    gauntlet.step("fuzz", fuzz);
}

/// What of the tests of whole processes is run there: all that a compiler has a part in. The rest is compiled, and run by others.
const OF_MSRV: [&str; 6] = ["attribute", "errors::", "functions::", "handle::", "orchestra::", "shared::"];

/// In a directory of its own: the children that two toolchains build have the same names.
fn msrv() -> Verdict {
    if let Err(why) = outside::toolchain(MSRV) {
        return Verdict::Skipped(why);
    }
    let toolchain = format!("+{MSRV}");
    let directory = target_directory().join("msrv").display().to_string();
    let build = [&[toolchain.as_str(), "test"], &LIBRARIES[..], &["--target-dir", &directory]].concat();
    // Without the test attributes of others, which take longer to build than the tests to run.
    let whole = ["--package", "pkit-test-tests", "--no-default-features", "--test", "it", "--"];
    let lib = || tests(cargo(&[&build[..], &["--lib"]].concat()));
    lib().and(|| tests(cargo(&[&build[..], &whole[..], &OF_MSRV[..]].concat())))
}

/// Those that the library declares, and none at all.
fn features() -> Vec<String> {
    let manifest = fs::read_to_string(root().join("pkit-test/Cargo.toml")).unwrap_or_default();
    let section = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let names = section.take_while(|line| !line.starts_with('[')).filter(|line| !line.trim_start().starts_with('#'));
    let names = names.filter_map(|line| line.split_once('=')).map(|(name, _)| name.trim().to_owned());
    std::iter::once("(none)".to_owned()).chain(names.filter(|name| name != "default")).collect()
}

fn with_feature(feature: &str) -> Verdict {
    let mut command = cargo(&["check", "--package", "pkit-test", "--no-default-features"]);
    if feature != "(none)" {
        command.args(["--features", feature]);
    }
    check(command)
}

fn for_target(target: &str) -> Verdict {
    match outside::target(target) {
        Ok(()) => check(cargo(&[&["check", "--target", target], &LIBRARIES[..]].concat())),
        Err(why) => Verdict::Skipped(why),
    }
}

/// Nothing in it is C, so that no compiler for that library is needed. In a directory of its own, as above.
fn musl() -> Verdict {
    if let Err(why) = outside::target(MUSL) {
        return Verdict::Skipped(why);
    }
    let directory = target_directory().join("musl").display().to_string();
    let which =
        ["--package", "pkit-test", "--package", "pkit-test-tests", "--lib", "--test", "it", "--test", "attributes"];
    tests(cargo(&[&["test", "--target", MUSL, "--target-dir", &directory], &which[..]].concat()))
}

fn docs() -> Verdict {
    let mut command = cargo(&["doc", "--workspace", "--no-deps"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    check(command)
}

/// The oldest versions that the manifests allow must do. Only a nightly cargo can pick them, any can build them.
fn minimal_versions() -> Verdict {
    if !outside::succeeds("cargo", &["+nightly", "--version"]) {
        return Verdict::Skipped(
            "no nightly toolchain is installed, and only that can resolve to minimal versions".into(),
        );
    }
    let workspace = match shadow_workspace() {
        Ok(path) => path.join("Cargo.toml").display().to_string(),
        Err(error) => return Verdict::of(Err(format!("shadow workspace: {error}"))),
    };
    let at = ["--manifest-path", &workspace];
    let resolve = cargo(&[&["+nightly", "generate-lockfile", "-Z", "direct-minimal-versions"], &at[..]].concat());
    match check(resolve) {
        Verdict::Passed(_) => check(cargo(&[&["check"], &at[..], &LIBRARIES[..]].concat())),
        other => other,
    }
}

/// A workspace of the two libraries alone: its lock file is not the one that everybody else builds with.
fn shadow_workspace() -> std::io::Result<PathBuf> {
    let shadow = target_directory().join("xtask/minimal");
    let _ = fs::remove_dir_all(&shadow); // Of an earlier run, if there is one.
    fs::create_dir_all(&shadow)?;
    for library in ["pkit-test", "pkit-test-macros"] {
        symlink(root().join(library), shadow.join(library))?;
    }
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    let members = |line: &str| match line.starts_with("members = ") {
        true => "members = [\"pkit-test\", \"pkit-test-macros\"]\n".to_owned(),
        false => format!("{line}\n"),
    };
    fs::write(shadow.join("Cargo.toml"), manifest.lines().map(members).collect::<String>())?;
    Ok(shadow)
}

fn with_tool(program: &str, arguments: &[&str]) -> Verdict {
    match has_program(program) {
        true => check(cargo(arguments)),
        false => Verdict::Skipped(format!("{program} is not installed")),
    }
}

fn typos() -> Verdict {
    if !has_program("typos") {
        return Verdict::Skipped("typos is not installed".into());
    }
    let mut command = std::process::Command::new("typos");
    command.current_dir(root());
    check(command)
}

/// Against the last release.
fn semver() -> Verdict {
    let tags = outside::output("git", &["-C", &path_text(&root()), "tag", "--list", "v*", "--sort=-version:refname"]);
    match tags.as_deref().and_then(|list| list.lines().next()) {
        Some(tag) => {
            with_tool("cargo-semver-checks", &["semver-checks", "--package", "pkit-test", "--baseline-rev", tag])
        }
        None => Verdict::Skipped("there is no release to compare with".into()),
    }
}

/// A minute for all targets; their corpora are replayed by the tests.
fn fuzz() -> Verdict {
    fuzz::Wish::of_environment().map_or_else(|why| Verdict::of(Err(why)), |wish| fuzz::run(&wish))
}

fn path_text(path: &Path) -> String {
    path.display().to_string()
}
