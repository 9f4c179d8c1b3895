//! The gauntlet of pkit-test as a program, the same for a developer and for a server.
//!
//! `cargo xtask test` runs all tests under libtest and under nextest, with the real servers that it finds or installs.
//! `cargo xtask ci` runs that and everything else that must hold before a change is taken. Nothing is skipped in
//! silence: what cannot run is named with its reason and counted. It exits 1 if anything failed.

mod bench;
mod ci;
mod evidence;
mod fuzz;
mod gauntlet;
mod install;
mod outside;
mod run;
#[expect(
    unreachable_pub,
    reason = "the library of the tests, which shows these items to them, is the owner of the file"
)]
#[path = "../../tests/support/servers.rs"]
mod servers;
mod starve;
mod survivors;
mod test;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gauntlet::Gauntlet;

const USAGE: &str = "\
usage: cargo xtask <command>
  test   all tests, under libtest and nextest; installs the servers that they need when it can
  ci     fmt, clippy, floors, test, MSRV, features, other targets, docs, packages, minimal versions, deny, typos, semver, fuzz
  fuzz   [--seconds N] [--keep] [target…]: what reads foreign text under libFuzzer, a minute in all; keeps what is new
  starve [--every MS] [--hold MS] [--all PERCENT] -- command…: runs it where its processes stand still now and then, as on a
         machine that is shared by too many; what is a race shows itself
  bench  all figures beside all peers, written to BENCHMARKS.md; with arguments for the benches it only prints
  peers  the Python environment that the benches find their peers in";

fn main() -> ExitCode {
    let mut gauntlet = Gauntlet::default();
    match std::env::args().nth(1).as_deref() {
        Some("test") => test::run(&mut gauntlet),
        Some("ci") => ci::run(&mut gauntlet),
        Some("starve") => match starve::Wish::parse(std::env::args().skip(2)) {
            Ok(wish) => return starve::run(&wish),
            Err(why) => return usage(&why),
        },
        Some("bench") => bench::run(&mut gauntlet, &std::env::args().skip(2).collect::<Vec<_>>()),
        Some("peers") => bench::peers(&mut gauntlet),
        Some("fuzz") => match fuzz::Wish::parse(std::env::args().skip(2)) {
            Ok(wish) => gauntlet.step("fuzz", || fuzz::run(&wish)),
            Err(why) => return usage(&why),
        },
        _ => return usage("which command?"),
    }
    gauntlet.report()
}

fn usage(why: &str) -> ExitCode {
    eprintln!("{why}\n{USAGE}");
    ExitCode::from(2)
}

/// The workspace.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a member lies in the workspace").to_owned()
}

/// Where cargo builds, and where our own files may go without being in anybody's way.
fn target_directory() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |path| root().join(path))
}
