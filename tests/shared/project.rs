//! Builds the crowd, once a process.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use pkit_test_tests::nested::Nested;

/// Its test binaries, in the order in which cargo runs them.
pub(crate) const BINARIES: [&str; 3] = ["alpha", "beta", "gamma"];

/// The built project.
#[derive(Debug)]
pub(crate) struct Project {
    pub(crate) nested: Nested,
    /// Of [`BINARIES`], relative to the target directory.
    pub(crate) binaries: [PathBuf; 3],
}

pub(crate) fn project() -> &'static Project {
    static PROJECT: OnceLock<Project> = OnceLock::new();
    PROJECT.get_or_init(|| {
        let nested = Nested::below_the_tests("shared/crowd", env!("CARGO_TARGET_TMPDIR"));
        nested.share_lock_file();
        let built = nested.built(&["test", "--no-run"], BINARIES);
        let relative = |path: PathBuf| path.strip_prefix(&nested.target).expect("it is built there").to_owned();
        Project { binaries: built.map(relative), nested }
    })
}

pub(crate) fn has_nextest() -> bool {
    Command::new("cargo-nextest").arg("--version").output().is_ok_and(|output| output.status.success())
}
