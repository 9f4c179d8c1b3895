//! Builds the victims, once a process, in a corner of our own target directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{env, fs};

/// The name of the program that panics with `panic = "abort"`, which is no test.
pub(crate) const ABORTING: &str = "aborting";

/// The victims' executables.
#[derive(Debug)]
pub(crate) struct Project {
    /// The test binary.
    pub(crate) ends: PathBuf,
    /// The program with `panic = "abort"`.
    pub(crate) aborting: PathBuf,
}

/// The built project.
pub(crate) fn project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| {
        share_lock_file();
        Project { ends: built(&["test", "--no-run"], "ends"), aborting: built(&["build", "--bin", ABORTING], ABORTING) }
    })
}

/// Where its manifest is.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("crash/victim")
}

/// Where it is built. Not where we are: cargo would wait for itself under a runner that still holds the directory.
pub(crate) fn target_directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("victim")
}

/// A command that sees nothing of the runner that runs us, nor of a shell that has started that in the background: what
/// it ignores then it hands down, and a victim that is to be interrupted would not be.
pub(crate) fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("env");
    command.arg("--default-signal=INT,QUIT").arg(program);
    let ours =
        |name: &str| ["NEXTEST", "PKIT_", "CARGO_PKG_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix));
    for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| ours(name)) {
        command.env_remove(name);
    }
    // Looking up names for a backtrace takes longer than all the rest of a victim's life.
    command.env("RUST_BACKTRACE", "0").current_dir(directory()).stdin(Stdio::null());
    command
}

/// The workspace's lock file, so that the victims use the same dependencies and nothing is fetched. Cargo drops what
/// they do not need; several of us may do this at once, hence the rename.
fn share_lock_file() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the member lies in it").join("Cargo.lock");
    let (own, new) = (directory().join("Cargo.lock"), directory().join(format!("Cargo.lock.{}", std::process::id())));
    let age = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
    if age(&own) < age(&workspace) {
        fs::copy(&workspace, &new).and_then(|_| fs::rename(&new, &own)).expect("the directory can be written");
    }
}

/// Builds one target and finds its executable in what cargo reports.
fn built(what: &[&str], name: &str) -> PathBuf {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = clean(cargo);
    command.args(what).arg("--message-format=json-render-diagnostics").arg("--target-dir").arg(target_directory());
    let output = command.stderr(Stdio::inherit()).output().expect("cargo can be run");
    assert!(output.status.success(), "the victims do not build");
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = report.lines().find(|line| line.contains(&format!(r#""name":"{name}""#)) && executable(line).is_some());
    line.and_then(executable).unwrap_or_else(|| panic!("cargo reports no executable for {name}:\n{report}"))
}

/// From a line of JSON, in which no path of ours needs an escape.
fn executable(line: &str) -> Option<PathBuf> {
    let (_, tail) = line.split_once(r#""executable":""#)?;
    tail.split('"').next().map(PathBuf::from)
}
