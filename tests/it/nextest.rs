//! The same victims under `cargo nextest run`: what it says of them, and where their output is.
//!
//! Nothing is built for it: nextest is told about the binary that runs already.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use pkit_test_tests::left_out;

use crate::nested::{Ended, Victim, victim};

const PACKAGE: &str = "pkit-test-tests";

/// Runs it under nextest, unless that is not there.
pub(crate) fn run(victim: &Victim) -> Option<Ended> {
    run_with(victim, &workspace().join(".config/nextest.toml"))
}

/// Of one that is killed somebody else says the last words, and on a busy machine that takes its time.
const PATIENT: &str = "[profile.default]\nleak-timeout = { period = \"20s\", result = \"fail\" }\n";

fn run_patiently(victim: &Victim) -> Option<Ended> {
    let config = victim.file("patient.toml");
    fs::write(&config, PATIENT).unwrap();
    run_with(victim, &config)
}

fn run_with(victim: &Victim, config: &Path) -> Option<Ended> {
    if Command::new("cargo-nextest").arg("--version").output().is_err() {
        left_out::because("cargo-nextest is not installed");
        return None;
    }
    let (cargo, binaries) = descriptions(victim);
    let mut command = victim.clean("cargo-nextest");
    command.args([
        "nextest",
        "run",
        "--color=never",
        "--status-level=all",
        "--final-status-level=none",
        "--no-fail-fast",
    ]);
    command.args(["--success-output=immediate", "--failure-output=immediate"]);
    command
        .arg("--config-file")
        .arg(config)
        .arg("--cargo-metadata")
        .arg(cargo)
        .arg("--binaries-metadata")
        .arg(binaries);
    command.arg("-E").arg(format!("test(={})", victim.path()));
    command.current_dir(workspace());
    Some(victim.ended(&mut command))
}

/// What cargo says of the workspace, and what nextest would have found out by building it.
fn descriptions(victim: &Victim) -> (PathBuf, PathBuf) {
    let (cargo, binaries) = (victim.file("cargo.json"), victim.file("binaries.json"));
    let mut command = Command::new(env!("CARGO"));
    command.args(["metadata", "--format-version=1", "--no-deps", "--offline"]).current_dir(workspace());
    let metadata = command.output().expect("cargo can be run");
    assert!(metadata.status.success(), "{}", String::from_utf8_lossy(&metadata.stderr));
    fs::write(&cargo, metadata.stdout).unwrap();
    fs::write(&binaries, binaries_metadata(victim.binary())).unwrap();
    (cargo, binaries)
}

fn binaries_metadata(binary: &Path) -> String {
    let (id, manifest) = (format!("{PACKAGE}::it"), env!("CARGO_MANIFEST_DIR"));
    let target = binary.parent().unwrap();
    format!(
        r#"{{"rust-build-meta":{{"target-directory":{target:?},"base-output-directories":[],"non-test-binaries":{{}},
"build-script-out-dirs":{{}},"linked-paths":[],"target-platforms":[],"target-platform":null}},
"rust-binaries":{{"{id}":{{"binary-id":"{id}","binary-name":"it","package-id":"path+file://{manifest}#{PACKAGE}@{version}",
"kind":"test","binary-path":{binary:?},"build-platform":"target"}}}}}}"#,
        version = env!("CARGO_PKG_VERSION"),
    )
}

fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member lies in its workspace")
}

/// Runs a victim that has one child, and compares what nextest says of it.
#[track_caller]
fn check(name: &'static str, child: &'static str, verdict: &str, text: Option<&str>) {
    let victim = victim(name).with(child);
    let ended = if verdict.starts_with("SIG") { run_patiently(&victim) } else { run(&victim) };
    let Some(ended) = ended else { return };
    let said = ended.stderr.lines().find(|line| line.ends_with(&victim.path()));
    let said = said.and_then(|line| line.split_once('[')).map(|(said, _)| said.trim());
    assert_eq!(said, Some(verdict), "{}", ended.stderr);
    assert_eq!(ended.status.success(), verdict == "PASS");
    if let Some(text) = text {
        assert_eq!(ended.stderr.contains(text), verdict != "PASS", "{}", ended.stderr);
    }
    victim.will_be_gone(&ended);
}

#[test]
fn what_fails_shows_its_output_and_what_passes_does_not() {
    check("settings::passes", "banner", "PASS", Some("hello from the service"));
    check("settings::fails", "banner", "FAIL", Some("hello from the service"));
    check("settings::aborts", "banner", "SIGABRT", Some("hello from the service"));
    check("record::fails_with_two", "sleeper", "FAIL", Some("--- 2 processes in "));
    check("record::passes_with_two", "sleeper", "PASS", Some("--- 2 processes in "));
}

#[test]
fn verdicts_are_those_of_libtest() {
    check("verdicts::ends_with_seven", "exits", "FAIL", Some("`worker` ended during the test, and nobody asked it to"));
    check("verdicts::may_exit", "exits", "PASS", None);
    check("verdicts::has_to_be_killed", "deaf", "FAIL", Some("`worker` had to be killed"));
    check("verdicts::is_deaf", "deaf", "PASS", None);
    check("verdicts::panics_as_it_should", "sleeper", "PASS", None);
    check("verdicts::does_not_start_and_should_panic", "exits", "FAIL", Some("`worker` exited before it was ready"));
}

#[test]
fn a_daemon_is_no_leak() {
    check("verdicts::leaves_a_daemon", "daemon", "PASS", None);
}
