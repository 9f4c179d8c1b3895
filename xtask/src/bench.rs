//! `cargo xtask bench`: all figures beside all peers, in one run, written down with where they are from.
//!
//! The Python peers live in an environment of their own beside what cargo builds, with pinned versions.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::gauntlet::{Gauntlet, Verdict};
use crate::outside::{self, has_program, succeeds};
use crate::run::{cargo, check};
use crate::{root, target_directory};

/// The interpreter that makes the environment.
const PYTHON: &str = "python3";

/// What people read.
const REPORT: &str = "BENCHMARKS.md";

const HEADER: &str = "\
# Benchmarks

Written by `cargo xtask bench`: ours beside the raw system calls and beside peers, in one run. Times are medians, with the
10th and the 90th percentile in brackets. A comparison is the median of pairs that were taken one right after the other; `x` is how many
times as much ours takes, `+` how much more. Budgets are those of `ARCHITECTURE.md`; one that is not met is said, and is no error:
machines differ and are busy. What a row measures stands in the header of its file in `benches/src/rows`.
";

/// Makes the environment of the Python peers.
pub(crate) fn peers(gauntlet: &mut Gauntlet) {
    gauntlet.step("peers", || match environment() {
        Ok(()) => Verdict::of(Ok(())),
        Err(why) => Verdict::Skipped(why),
    });
}

/// Measures everything and writes the report; with arguments for the benches it only prints.
pub(crate) fn run(gauntlet: &mut Gauntlet, arguments: &[String]) {
    peers(gauntlet);
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let all = [&["run", "--release", "--package", "pkit-test-benches", "--"], &words[..]].concat();
    gauntlet.step("benches", || if words.is_empty() { Verdict::of(report(cargo(&all))) } else { check(cargo(&all)) });
}

fn environment() -> Result<(), String> {
    let directory = target_directory().join("peers");
    let pip = directory.join("bin/pip");
    let requirements = root().join("benches/peers/requirements.txt");
    if !has_program(PYTHON) {
        return Err(format!("there is no {PYTHON} here"));
    }
    if !succeeds(&text(&pip), &["--version"]) && !succeeds(PYTHON, &["-m", "venv", &text(&directory)]) {
        return Err(format!(
            "`{PYTHON} -m venv` cannot make an environment; on Debian the package python3-venv is missing"
        ));
    }
    let installed = succeeds(&text(&pip), &["install", "--quiet", "--requirement", &text(&requirements)]);
    installed.then_some(()).ok_or_else(|| format!("pip could not install {}", requirements.display()))
}

fn report(mut benches: Command) -> Result<(), String> {
    let output = benches.stderr(Stdio::inherit()).output().map_err(|error| format!("cargo: {error}"))?;
    let tables = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{tables}");
    if !output.status.success() {
        return Err(format!("the benches ended with {}", output.status));
    }
    let path = root().join(REPORT);
    let report = format!("{HEADER}\n{}\n```text\n{}\n```\n", origin(), tables.trim_end());
    fs::write(&path, report).map_err(|error| format!("{}: {error}", path.display()))
}

/// Where and when the figures were measured, and how to do that again.
fn origin() -> String {
    let of =
        |program: &str, arguments: &[&str]| outside::output(program, arguments).unwrap_or_default().trim().to_owned();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    let model = model.map_or("unknown", |(_, name)| name.trim());
    let rows = [
        ("date", of("date", &["+%Y-%m-%d"])),
        ("command", "`cargo xtask bench`".to_owned()),
        ("CPU", model.to_owned()),
        ("Rust", of("rustc", &["--version"])),
        ("Python", of(PYTHON, &["--version"])),
        ("peers", pinned()),
    ];
    let rows: String = rows.iter().map(|(name, value)| format!("| {name} | {value} |\n")).collect();
    format!("| | |\n|---|---|\n{rows}")
}

/// The versions of the peers: those in Python as required, those in Rust as locked.
fn pinned() -> String {
    let requirements = fs::read_to_string(root().join("benches/peers/requirements.txt")).unwrap_or_default();
    let wanted = ["mirakuru==", "pytest-xprocess==", "zproc=="];
    let python = requirements.lines().filter(|line| wanted.iter().any(|name| line.starts_with(name)));
    let lock = fs::read_to_string(root().join("Cargo.lock")).unwrap_or_default();
    let rust = ["process-wrap", "processkit", "procspawn"].into_iter().filter_map(|name| {
        let after = lock.split(&format!("name = \"{name}\"\nversion = \"")).nth(1)?;
        Some(format!("{name} {}", after.split('"').next()?))
    });
    let all: Vec<String> = python.map(|line| line.replace("==", " ")).chain(rust).collect();
    all.join(", ")
}

fn text(path: &Path) -> String {
    path.display().to_string()
}
