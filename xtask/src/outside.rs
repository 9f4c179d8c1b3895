//! What may or may not be on this machine: toolchains, targets, tools.

use std::env;
use std::process::{Command, Stdio};

/// Whether a program can be found.
pub(crate) fn has_program(name: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|directory| directory.join(name).is_file()))
}

/// Whether it is quietly successful.
pub(crate) fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What it prints, if it is successful.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A toolchain, fetched if it is not there; or why it cannot be had.
pub(crate) fn toolchain(name: &str) -> Result<(), String> {
    if succeeds("cargo", &[&format!("+{name}"), "--version"]) {
        return Ok(());
    }
    let fetched = succeeds("rustup", &["toolchain", "install", name, "--profile", "minimal", "--no-self-update"]);
    fetched.then_some(()).ok_or_else(|| format!("Rust {name} is not installed, and rustup could not fetch it"))
}

/// A target's standard library, fetched if it is not there; or why it cannot be had.
pub(crate) fn target(name: &str) -> Result<(), String> {
    let added = succeeds("rustup", &["target", "add", name]);
    added.then_some(()).ok_or_else(|| format!("the target {name} is not installed, and rustup could not fetch it"))
}

/// nextest, built if it is not there; or why it cannot be had.
pub(crate) fn nextest() -> Result<(), String> {
    if has_program("cargo-nextest") {
        return Ok(());
    }
    eprintln!("cargo-nextest is not installed: building it, which takes some minutes, once");
    let built = succeeds("cargo", &["install", "cargo-nextest", "--locked"]);
    built.then_some(()).ok_or_else(|| "cargo-nextest is not installed, and `cargo install` could not build it".into())
}
