//! The servers that some tests need: found, or installed where that can be done, or named as missing.
//!
//! Debian's packages start what they install as a service of the system. A test machine must not run a server because
//! somebody ran tests, so the system's own veto (`policy-rc.d`) is put up while packages are installed.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use crate::outside::{has_program, succeeds};
use crate::servers::{SERVERS, Server};

const POLICY: &str = "/usr/sbin/policy-rc.d";

/// All servers that are there in the end, by name.
pub(crate) fn available() -> Vec<&'static str> {
    let missing: Vec<Server> = SERVERS.into_iter().filter(|server| server.find().is_none()).collect();
    if !missing.is_empty() {
        match install(&missing) {
            Ok(()) => eprintln!("installed what the tests need"),
            Err(why) => eprintln!("not installed: {why}"),
        }
    }
    for server in SERVERS.iter().filter(|server| server.find().is_none()) {
        eprintln!("tests that need {} are left out: there is no `{}`", server.name, server.program);
    }
    SERVERS.iter().filter(|server| server.find().is_some()).map(|server| server.name).collect()
}

/// A program, installed if it is not there; or why it cannot be had.
pub(crate) fn program(name: &str, package: &str) -> Result<(), String> {
    if has_program(name) { Ok(()) } else { packages(&[package]) }
}

fn install(missing: &[Server]) -> Result<(), String> {
    let before = running(missing);
    let installed = packages(&missing.iter().map(|server| server.package).collect::<Vec<_>>());
    running(missing).difference(&before).for_each(|pid| end(*pid));
    installed
}

fn packages(names: &[&str]) -> Result<(), String> {
    if !has_program("apt-get") {
        return Err(format!("no apt-get here; the packages would be {}", names.join(" ")));
    }
    if !is_root() {
        return Err(format!("not root; `apt-get install {}` would do it", names.join(" ")));
    }
    let _veto = Veto::put_up();
    let installed = apt(&["update"]) && apt(&[&["install", "--yes", "--no-install-recommends"], names].concat());
    installed.then_some(()).ok_or_else(|| format!("apt-get could not install {}", names.join(" ")))
}

fn apt(arguments: &[&str]) -> bool {
    let mut command = Command::new("apt-get");
    // An init script takes the runlevel of single-user mode as a reason to start nothing.
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive").env("RUNLEVEL", "1");
    command.status().is_ok_and(|status| status.success())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// The processes that run one of these programs.
fn running(servers: &[Server]) -> BTreeSet<u32> {
    let is_one = |pid: &u32| {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
        // The kernel keeps fifteen bytes of a name.
        servers
            .iter()
            .any(|server| !name.trim().is_empty() && server.program.get(..15).unwrap_or(server.program) == name.trim())
    };
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(is_one).collect()
}

/// The veto did not hold: this one was started by the installation, so it is ours to end.
fn end(pid: u32) {
    eprintln!("process {pid} was started by the installation: ending it");
    succeeds("kill", &[&pid.to_string()]);
}

/// While it lives, no package starts a service.
struct Veto;

impl Veto {
    /// `None` where the system has a policy of its own, which is not ours to change.
    fn put_up() -> Option<Veto> {
        if Path::new(POLICY).exists() {
            return None;
        }
        fs::write(
            POLICY,
            "#!/bin/sh\n# Put up by `cargo xtask test` while it installs; 101 is \"forbidden\".\nexit 101\n",
        )
        .ok()?;
        fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755)).ok()?;
        Some(Veto)
    }
}

impl Drop for Veto {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_file(POLICY) {
            eprintln!("{POLICY} must be removed by hand: {error}");
        }
    }
}
