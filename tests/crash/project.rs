//! Builds the victims, once a process, in a corner of our own target directory.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use pkit_test_tests::nested::Nested;

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
        let nested = nested();
        nested.share_lock_file();
        let [ends] = nested.built(&["test", "--no-run"], ["ends"]);
        let [aborting] = nested.built(&["build", "--bin", ABORTING], [ABORTING]);
        Project { ends, aborting }
    })
}

/// Where its manifest is.
pub(crate) fn directory() -> PathBuf {
    nested().directory
}

/// Where it is built.
pub(crate) fn target_directory() -> PathBuf {
    nested().target
}

/// A command that sees nothing of the runner that runs us.
pub(crate) fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    nested().clean(program)
}

fn nested() -> Nested {
    Nested::below_the_tests("crash/victim", env!("CARGO_TARGET_TMPDIR"))
}
