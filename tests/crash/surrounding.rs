//! Where the victims run: a system that lacks something, or a place that is too small, too full or somebody else's.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use pkit_test_tests::private::{Private, executable, own_place};

use crate::children::Child;
use crate::project::{clean, directory};

/// One of them.
#[derive(Debug)]
pub(crate) struct Surrounding {
    pub(crate) name: &'static str,
    /// The program that makes it so, and then becomes the victim.
    pub(crate) launcher: Option<&'static str>,
    arguments: &'static [&'static str],
    variables: &'static [(&'static str, &'static str)],
    trait_: Trait,
    /// The children that cannot be themselves there, and why.
    without: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trait {
    None,
    /// Everything that is used lies where anybody may use it, and each run is another user.
    Stranger,
    /// The same, with a limit on the processes of that user: each run has another one.
    Crowded,
    /// `/tmp` is covered, and only what is needed stays.
    Covered,
    /// The temporary directory has a path of 150 characters.
    LongPath,
}

const fn surrounding(name: &'static str) -> Surrounding {
    Surrounding { name, launcher: None, arguments: &[], variables: &[], trait_: Trait::None, without: &[] }
}

const fn surround(name: &'static str, arguments: &'static [&'static str]) -> Surrounding {
    Surrounding { launcher: Some("surround"), arguments, ..surrounding(name) }
}

const fn lacking(name: &'static str, variables: &'static [(&'static str, &'static str)]) -> Surrounding {
    Surrounding { variables, ..surrounding(name) }
}

pub(crate) static PLAIN: Surrounding = surrounding("plain");

/// All others.
pub(crate) static SURROUNDINGS: &[Surrounding] = &[
    lacking("no pidfd", &[("PKIT_WITHOUT", "pidfd")]),
    lacking("no list of children", &[("PKIT_WITHOUT", "children")]),
    // Whether a hopper is up cannot be known there: it leaves its leader between two looks.
    Surrounding { without: &["hopper"], ..lacking("no subreaper", &[("PKIT_WITHOUT", "subreaper")]) },
    Surrounding { launcher: Some("as_docker"), without: &["tracer"], ..surrounding("seccomp of Docker") },
    Surrounding {
        launcher: Some("as_docker"),
        arguments: &["--old"],
        without: &["tracer"],
        ..surrounding("seccomp of old Docker")
    },
    Surrounding { trait_: Trait::Stranger, ..surround("another user", &[]) },
    Surrounding { trait_: Trait::Covered, ..surround("read-only /tmp", &["--tmp", "read-only"]) },
    Surrounding { trait_: Trait::Covered, ..surround("full /tmp", &["--tmp", "full"]) },
    Surrounding { trait_: Trait::LongPath, ..surrounding("TMPDIR of 150 bytes") },
    surround("64 descriptors", &["--nofile", "64"]),
    surround("PID 1 does not reap", &["--init"]),
];

/// For starts that go on until the system refuses: not one of those above, as all other ends need more.
pub(crate) static PROCESS_LIMIT: Surrounding = Surrounding { trait_: Trait::Crowded, ..surround("process limit", &[]) };

/// The limits: from one at which no thread can be made to one at which some starts succeed.
const PROCESSES: std::ops::Range<u32> = 2..34;

/// Each run is somebody else, so that a limit on processes is its own.
static NEXT_USER: AtomicU32 = AtomicU32::new(0);

const FIRST_USER: u32 = 70_000;
const USERS: u32 = 1_000_000;

/// More than one process of ours has under way at a time.
const RUNS: u32 = 1_000;

impl Surrounding {
    /// Where the executables go.
    pub(crate) fn place(&self) -> PathBuf {
        match self.trait_ {
            Trait::Stranger | Trait::Crowded => env::temp_dir().join("pkit-crash"),
            _ => own_place(),
        }
    }

    /// Whether a child can be what it is there.
    pub(crate) fn has(&self, child: &Child) -> bool {
        !self.without.contains(&child.name)
    }

    /// A command that runs the victim there; its arguments are to follow.
    pub(crate) fn command(&self, launcher: Option<&Path>, victim: &Path) -> Command {
        let mut command = clean(launcher.unwrap_or(victim));
        let own = victim.parent().expect("it lies in a directory of its own");
        command.args(self.arguments).envs(self.variables.iter().copied());
        self.set_up(&mut command, own);
        if launcher.is_some() {
            if self.launcher == Some("surround") {
                command.arg("--");
            }
            command.arg(victim);
        }
        command
    }

    fn set_up(&self, command: &mut Command, own: &Path) {
        let logs = own.join("pkit");
        match self.trait_ {
            Trait::None => drop(command.current_dir(directory())),
            Trait::Stranger | Trait::Crowded => {
                let run = NEXT_USER.fetch_add(1, Ordering::Relaxed);
                let user = FIRST_USER + std::process::id().wrapping_mul(RUNS).wrapping_add(run) % USERS;
                made_for_all(&logs);
                command.args(["--uid", &user.to_string()]).env("PKIT_DIR", logs).current_dir(own);
                if self.trait_ == Trait::Crowded {
                    let limit = PROCESSES.start + run % (PROCESSES.end - PROCESSES.start);
                    command.args(["--nproc", &limit.to_string()]);
                }
            }
            Trait::Covered => {
                command.arg("--keep").arg(own_place()).env("PKIT_DIR", logs).current_dir(own).env_remove("TMPDIR");
            }
            Trait::LongPath => {
                let fill = 149_usize.saturating_sub(own.as_os_str().len());
                let long = own.join("t".repeat(fill.max(1)));
                std::fs::create_dir_all(&long).expect("it is ours");
                command.current_dir(directory()).env("TMPDIR", long);
            }
        }
    }

    /// Why it cannot be made here, if it cannot.
    pub(crate) fn trouble(&self) -> Option<String> {
        let copy = self.launcher.map(|name| Private::copy_of_in(&self.place(), name));
        let truth = Private::copy_of_file_in(&self.place(), &executable("polite"));
        let mut command = self.command(copy.as_ref().map(Private::path), truth.path());
        // A signal that never comes is no matter: its input ends, and what it is told is an error of usage.
        let output = command.arg("--nonsense").stdin(Stdio::null()).output().expect("it can be run");
        let as_wanted = output.status.code() == Some(64);
        (!as_wanted).then(|| String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn made_for_all(directory: &Path) {
    use std::os::unix::fs::PermissionsExt as _;
    let made = std::fs::create_dir_all(directory)
        .and_then(|()| std::fs::set_permissions(directory, std::fs::Permissions::from_mode(0o777)));
    made.expect("it is ours");
}
