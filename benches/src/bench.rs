//! What all measurements share: how many samples, this program as its own child, and a place for scratch files.

use std::env;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use pkit_test::Spec;

use crate::roles::Role;
use crate::stamps::Stamps;

/// A full run has this many times the samples of a quick one.
const QUICK_SHARE: usize = 15;
/// With fewer there is no median to speak of.
const FEWEST_SAMPLES: usize = 3;

/// One run of the benches.
pub(crate) struct Bench {
    is_quick: bool,
    program: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    pub(crate) fn new(is_quick: bool) -> io::Result<Bench> {
        let scratch = env::temp_dir().join(format!("pkit-benches-{}", std::process::id()));
        fs::create_dir_all(&scratch)?;
        Ok(Bench { is_quick, program: env::current_exe()?, scratch })
    }

    pub(crate) fn is_quick(&self) -> bool {
        self.is_quick
    }

    /// How many samples to take where a full run takes `full`.
    pub(crate) fn samples(&self, full: usize) -> usize {
        if self.is_quick { (full / QUICK_SHARE).max(FEWEST_SAMPLES) } else { full }
    }

    pub(crate) fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// A line on which children of ours say when something happened.
    pub(crate) fn stamps(&self) -> io::Result<Stamps> {
        Stamps::create(&self.scratch)
    }

    /// This program in a role, to be run by pkit-test.
    pub(crate) fn spec(&self, role: &Role) -> Spec {
        Spec::program(&self.program).args(role.words())
    }

    /// This program in a role, to be run by hand.
    pub(crate) fn command(&self, role: &Role) -> std::process::Command {
        let mut command = std::process::Command::new(&self.program);
        command.args(role.words());
        command
    }

    /// Where the figures are from.
    pub(crate) fn machine(&self) -> String {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let kernel = read("/proc/sys/kernel/osrelease");
        let load = read("/proc/loadavg");
        let load = load.split(' ').next().unwrap_or("unknown");
        let samples = if self.is_quick { "quick: too few samples to judge by" } else { "full" };
        let build = if cfg!(debug_assertions) { "debug build: the figures mean nothing" } else { "release build" };
        format!("pkit-test benches: {samples}, {build}; kernel {kernel}, {cpus} CPUs, load {load}")
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        // Scratch files below the directory for temporary ones: a rest is only litter.
        let _ = fs::remove_dir_all(&self.scratch);
    }
}
