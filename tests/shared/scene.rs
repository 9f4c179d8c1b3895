//! One run of the crowd, or several beside each other: their own binaries, their own places, and what is left of them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::DirBuilderExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use nix::sys::signal::Signal;
use pkit_test_tests::nested::cargo;
use pkit_test_tests::nested::until;
use pkit_test_tests::process::{pids, signal_process, stat};

use crate::ledger::{Ledger, ledger_in};
use crate::project::project;
use crate::said::Said;

/// Only catches a hang. A run takes some seconds, on a busy machine perhaps ten times as long.
pub(crate) const HANG: Duration = Duration::from_secs(120);

/// The first argument of whoever owns what is shared.
const BROKER: &str = "--pkit-test-broker";

/// Which tests: the sixty of each binary.
pub(crate) const CROWD: &str = "test(/^many::/)";

/// A third of them. All kinds are among them.
pub(crate) const SOME: &str = "test(/^many::n[0-2][0-5]/) or test(=many::n29)";

/// Where runs take place.
#[derive(Debug)]
pub(crate) struct Scene {
    /// The target directory of the scene.
    target: PathBuf,
    /// Places for temporary files and for sockets, by a short path: sockets need one.
    places: PathBuf,
    pub(crate) ledger: Ledger,
}

impl Scene {
    pub(crate) fn new() -> Scene {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let target = project().nested.target.with_file_name("crowds").join(&name);
        let places = std::env::temp_dir().join(format!("pkit-crowd-{name}"));
        let _ = fs::remove_dir_all(&target); // Of an earlier process with our pid.
        let _ = fs::remove_dir_all(&places);
        link_all(&project().nested.target, &target);
        for place in ["tmp", "run"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(places.join(place)).expect("it can be made");
        }
        let ledger = ledger_in(&places);
        Scene { target, places, ledger }
    }

    /// A second ledger, for a run beside another one in the same scene.
    pub(crate) fn ledger_of(&self, run: &str) -> Ledger {
        let directory = self.places.join(run);
        fs::create_dir_all(&directory).expect("it can be made");
        ledger_in(&directory)
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.places.join(name)
    }

    /// Lets those tests go on that wait for it.
    pub(crate) fn open_gate(&self) {
        fs::write(self.file("gate"), "").expect("it can be written");
    }

    /// The program itself and not `cargo nextest`: what we end is then the runner.
    pub(crate) fn nextest(&self, filter: &str) -> Command {
        self.nextest_with(8, filter)
    }

    /// One test after the other, in the order of their names.
    pub(crate) fn nextest_in_order(&self, filter: &str) -> Command {
        self.nextest_with(1, filter)
    }

    fn nextest_with(&self, threads: u32, filter: &str) -> Command {
        let mut command = self.command("cargo-nextest");
        command.args(["nextest", "run", "--no-fail-fast", "--color=never", "--cargo-quiet", "--show-progress=none"]);
        command.arg(format!("-j{threads}"));
        command.args(["--status-level=all", "--final-status-level=none"]);
        command.args(["--success-output=never", "--failure-output=immediate"]);
        command.arg("--target-dir").arg(&self.target).args(["-E", filter]);
        command
    }

    pub(crate) fn cargo_test(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(cargo());
        command.args(["test", "--no-fail-fast", "--tests", "--target-dir"]).arg(&self.target);
        command.args(["--", "many::"]).args(arguments);
        command
    }

    /// One of the test binaries, by its place among them.
    pub(crate) fn binary(&self, number: usize) -> PathBuf {
        self.target.join(&project().binaries[number])
    }

    /// In a group of its own, like a job of a shell.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = project().nested.clean(program);
        command.env("CROWD_LEDGER", &self.ledger.path).env("TMPDIR", self.places.join("tmp"));
        command.env("XDG_RUNTIME_DIR", self.places.join("run")).env("PKIT_DIR", self.places.join("pkit"));
        command.env_remove("CROWD_TROUBLE").process_group(0);
        command
    }

    /// The processes that execute one of the scene's binaries.
    pub(crate) fn pids(&self) -> Vec<u32> {
        pids().into_iter().filter(|&pid| self.is_of(pid)).collect()
    }

    fn is_of(&self, pid: u32) -> bool {
        fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|path| path.starts_with(&self.target))
    }

    /// The broker of the one run that there is.
    pub(crate) fn broker(&self) -> u32 {
        let is_broker = |pid: &u32| arguments(*pid).iter().any(|one| one.starts_with(BROKER));
        let brokers: Vec<u32> = self.pids().into_iter().filter(is_broker).collect();
        assert_eq!(brokers.len(), 1, "one run has one broker:{}", self.described());
        brokers[0]
    }

    /// Nothing runs, and nothing is on disk, where a run has a place of its own.
    pub(crate) fn nothing_is_left(&self) {
        self.nothing_runs();
        let files = [files_below(&self.places.join("tmp")), files_below(&self.places.join("run"))].concat();
        assert!(files.is_empty(), "left on disk: {files:?}\n{}", self.ledger.text());
    }

    pub(crate) fn nothing_runs(&self) {
        let left = until(HANG, || self.pids().is_empty().then_some(()));
        assert!(left.is_some(), "still there:{}\n{}", self.described(), self.ledger.text());
    }

    fn described(&self) -> String {
        let one = |pid: u32| {
            let parent = stat(pid).map_or(0, |stat| stat.ppid);
            format!("\n    {pid}, child of {parent}: {}", arguments(pid).join(" "))
        };
        self.pids().into_iter().map(one).collect()
    }
}

impl Drop for Scene {
    /// After one that failed: the machine is not to suffer for it. Its ledger is in the message.
    fn drop(&mut self) {
        for pid in self.pids() {
            let _ = signal_process(pid, Signal::SIGKILL); // It may be gone by now.
        }
        let _ = fs::remove_dir_all(&self.target); // It lies in the target directory, where it does no harm.
        let _ = fs::remove_dir_all(&self.places);
    }
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Said {
    Said::of(command.output().expect("it can be run"))
}

fn arguments(pid: u32) -> Vec<String> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).split('\0').map(str::to_owned).collect()
}

/// Everything that is no directory, and directories with nothing in them but the first.
fn files_below(directory: &Path) -> Vec<PathBuf> {
    let entries: Vec<PathBuf> =
        fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path()).collect();
    let below = entries.into_iter().flat_map(|path| {
        let more = if path.is_dir() { files_below(&path) } else { Vec::new() };
        if more.is_empty() { vec![path] } else { more }
    });
    below.collect()
}

/// The same files by other names: a copy would take its time, and cargo would see another age.
fn link_all(from: &Path, to: &Path) {
    fs::create_dir_all(to.parent().expect("it lies in the target directory")).expect("it can be written");
    let linked = Command::new("cp").args(["-al", "--"]).args([from, to]).status();
    assert!(linked.is_ok_and(|status| status.success()), "{} cannot be linked", from.display());
    // The runs of two scenes would wait for each other.
    let _ = fs::remove_file(to.join("debug/.cargo-lock"));
}
