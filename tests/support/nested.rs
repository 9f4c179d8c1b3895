//! Projects of their own below the tests: they are built, run and made to die by a test of ours, and have no part in our workspace.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, process};

use crate::child::wait_ms;

/// Such a project.
#[derive(Debug)]
pub struct Nested {
    /// Where its manifest is.
    pub directory: PathBuf,
    /// Where it is built. Not where we are: cargo would wait for itself under a runner that still holds the directory.
    pub target: PathBuf,
}

impl Nested {
    /// The one in that directory below the tests, built in a corner of our own target directory, which the caller has from
    /// `CARGO_TARGET_TMPDIR`.
    #[must_use]
    pub fn below_the_tests(directory: &str, corner: &str) -> Nested {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
        let name = directory.file_name().expect("it is a directory of its own");
        Nested { target: Path::new(corner).join(name), directory }
    }

    /// A command in it that sees nothing of the runner that runs us, nor of a shell that has started that in the background: what
    /// it ignores then it hands down, and what is to be interrupted would not be.
    pub fn clean(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new("env");
        command.arg("--default-signal=INT,QUIT").arg(program);
        let ours =
            |name: &str| ["NEXTEST", "PKIT_", "CARGO_PKG_", "CARGO_BIN_"].iter().any(|prefix| name.starts_with(prefix));
        for name in env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| ours(name)) {
            command.env_remove(name);
        }
        // Looking up names for a backtrace takes longer than all the rest of a victim's life.
        command.env("RUST_BACKTRACE", "0").current_dir(&self.directory).stdin(Stdio::null());
        command
    }

    /// The workspace's lock file, so that it uses the same dependencies and nothing is fetched. Cargo drops what it does not
    /// need; several of us may do this at once, hence the rename.
    ///
    /// # Panics
    ///
    /// When the directory cannot be written.
    pub fn share_lock_file(&self) {
        let workspace =
            Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the member lies in it").join("Cargo.lock");
        let (own, new) =
            (self.directory.join("Cargo.lock"), self.directory.join(format!("Cargo.lock.{}", process::id())));
        let age = |path: &Path| path.metadata().and_then(|file| file.modified()).ok();
        if age(&own) < age(&workspace) {
            fs::copy(&workspace, &new).and_then(|_| fs::rename(&new, &own)).expect("the directory can be written");
        }
    }

    /// Builds some of its targets, and finds their executables in what cargo reports.
    ///
    /// # Panics
    ///
    /// When it does not build, or has no such target.
    #[must_use]
    pub fn built<const N: usize>(&self, what: &[&str], names: [&str; N]) -> [PathBuf; N] {
        let mut command = self.clean(cargo());
        command.args(what).arg("--message-format=json-render-diagnostics").arg("--target-dir").arg(&self.target);
        let output = command.stderr(Stdio::inherit()).output().expect("cargo can be run");
        assert!(output.status.success(), "{} does not build", self.directory.display());
        let report = String::from_utf8_lossy(&output.stdout).into_owned();
        names.map(|name| {
            let is_it = |line: &&str| line.contains(&format!(r#""name":"{name}""#)) && executable(line).is_some();
            let line = report.lines().find(is_it);
            line.and_then(executable).unwrap_or_else(|| panic!("cargo reports no executable for {name}:\n{report}"))
        })
    }
}

/// The one that runs us, if one does.
#[must_use]
pub fn cargo() -> std::ffi::OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// From a line of JSON, in which no path of ours needs an escape.
fn executable(line: &str) -> Option<PathBuf> {
    let (_, tail) = line.split_once(r#""executable":""#)?;
    tail.split('"').next().map(PathBuf::from)
}

/// Waits until there is an answer, and with a limit that only catches a hang.
pub fn until<T>(limit: Duration, mut seen: impl FnMut() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + limit;
    loop {
        let value = seen();
        if value.is_some() || Instant::now() >= deadline {
            return value;
        }
        wait_ms(1);
    }
}
