//! Which run a process is in: that of the runner whose life it is.
//!
//! ```text
//! shell ── cargo-nextest ──┬─ test                        found by NEXTEST_RUN_ID: the parent of the last one that has it
//!                          └─ wrapper ── test             so the wrapper is none
//! shell ── cargo ──┬─ tests of one binary                 found by its name
//!                  └─ tests of another
//! IDE ── tests of a binary                                nobody is found: the life of this process
//! ```
//!
//! Of several the nearest counts: a `cargo test` in a test of nextest is a run of its own. A runner that was killed leaves its tests to
//! whoever adopts orphans, which is no runner; so each is known by what it is, and where that is not certain the run is this process.
//! The same goes for what runs below a shim of ours: what it started would end with that, and so it must not start what is for all.

use std::env;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::sync::{Arc, Mutex, OnceLock};

use crate::config::config;
use crate::error::{Error, Result};
use crate::guardian::SHIM_NAME;
use crate::sync::lock;
use crate::sys::child::own_pid;
use crate::sys::held::Identity;
use crate::sys::procfs::{self, Kin};
use crate::sys::{platform, user};

/// What nextest gives to each test of a run.
const NEXTEST_RUN_ID: &str = "NEXTEST_RUN_ID";

/// The setting that overrides all of it.
pub(crate) const PKIT_RUN_ID: &str = "PKIT_RUN_ID";

/// What brokers and their clients say to each other: those of two versions of it never meet.
const PROTOCOL: u32 = 1;

/// No real line of ancestors is longer; what looks longer changed while it was walked.
const ANCESTORS: usize = 256;

/// A run: the life of a process.
#[derive(Debug, Clone)]
pub(crate) struct TestRun {
    pub(crate) runner: i32,
    /// It is the life of this process.
    pub(crate) is_own: bool,
    /// No other run has it, on no machine and at no time.
    pub(crate) key: String,
    how: How,
    birth: u64,
    environment: OnceLock<Environment>,
}

/// Variables and their values.
pub(crate) type Environment = Arc<Vec<(OsString, OsString)>>;

/// How the runner was found.
#[derive(Debug, Clone, PartialEq, Eq)]
enum How {
    Said(String),
    Nextest,
    Cargo,
    Own,
}

/// The run of this process, with the process that it was found for.
static CURRENT: Mutex<Option<(i32, &'static TestRun)>> = Mutex::new(None);

/// The run that this process is in.
///
/// # Errors
///
/// When `PKIT_RUN_ID` says what cannot be.
pub(crate) fn of_this_process() -> Result<&'static TestRun> {
    let mut current = lock(&CURRENT);
    // A fork is another process. Its parent may be the run.
    if let Some((_, run)) = current.filter(|(pid, _)| *pid == own_pid()) {
        return Ok(run);
    }
    // One for each process: nobody makes so many forks of forks that this would count.
    let run = Box::leak(Box::new(find(config().run_id.as_deref())?));
    *current = Some((own_pid(), run));
    Ok(run)
}

/// The run of this process, if it was asked for.
pub(super) fn known() -> Option<&'static TestRun> {
    let current = *lock(&CURRENT);
    current.filter(|(pid, _)| *pid == own_pid()).map(|(_, run)| run)
}

impl TestRun {
    fn new(how: How, runner: Identity) -> TestRun {
        let is_own = runner.pid == own_pid();
        let said = if let How::Said(said) = &how { said } else { "" };
        let boot = procfs::boot_id().unwrap_or_default();
        let pids = procfs::pid_namespace().unwrap_or_default();
        let version = concat!(env!("CARGO_PKG_VERSION"), "/");
        let user = user::own_uid();
        let key = format!("{version}{PROTOCOL} user {user} boot {boot} pids {pids} runner {runner} id {said}");
        TestRun { runner: runner.pid, birth: runner.birth, is_own, key, how, environment: OnceLock::new() }
    }

    /// That of a process, with an environment of its own.
    #[cfg(test)]
    pub(super) fn of(pid: i32, environment: Vec<(OsString, OsString)>) -> TestRun {
        let run = TestRun::new(How::Cargo, Identity::of(pid).expect("it runs"));
        TestRun { environment: Arc::new(environment).into(), ..run }
    }

    /// For people.
    pub(crate) fn shown(&self) -> String {
        let pid = self.runner;
        match &self.how {
            How::Said(said) => format!("{PKIT_RUN_ID}={said} (process {pid})"),
            How::Nextest => format!("nextest (process {pid})"),
            How::Cargo => format!("cargo (process {pid})"),
            How::Own => format!("this process ({pid})"),
        }
    }

    /// Whether the runner has ended.
    pub(crate) fn is_over(&self) -> bool {
        !Identity { pid: self.runner, birth: self.birth }.is_alive()
    }

    /// The environment that the runner was given: what is for all tests of a run must not have that of one of them.
    pub(crate) fn environment(&self) -> Environment {
        let environment = self.environment.get_or_init(|| {
            let given = Some(self.runner).filter(|_| !self.is_own).and_then(procfs::variables);
            Arc::new(given.unwrap_or_else(|| env::vars_os().filter(|(name, _)| !is_of_one_test(name)).collect()))
        });
        Arc::clone(environment)
    }
}

/// Whether a runner gives a variable to a test to say which one it is, or of which package.
fn is_of_one_test(name: &OsStr) -> bool {
    const BEGINNINGS: [&str; 6] =
        ["NEXTEST", "__NEXTEST", "CARGO_PKG_", "CARGO_BIN_", "CARGO_MANIFEST_", "CARGO_TARGET_TMPDIR"];
    const WHOLE: [&str; 2] = ["CARGO_CRATE_NAME", "CARGO_PRIMARY_PACKAGE"];
    let is_like = |beginning: &str| name.as_bytes().starts_with(beginning.as_bytes());
    BEGINNINGS.iter().any(|beginning| is_like(beginning)) || WHOLE.iter().any(|whole| name == *whole)
}

fn find(said: Option<&str>) -> Result<TestRun> {
    // Elsewhere nobody can be asked about processes, and whoever starts something is told so.
    let this = own_kin();
    if let Some(said) = said {
        return said_by_setting(said, &this);
    }
    let run_id = env::var_os(NEXTEST_RUN_ID).filter(|id| !id.is_empty());
    let (how, runner) = runner(this, run_id.as_deref());
    Ok(TestRun::new(how, runner))
}

/// This process. Where `/proc` shows others' ids nobody is its parent.
fn own_kin() -> Kin {
    let seen = if platform::has_own_proc() { procfs::kin(own_pid()) } else { None };
    seen.unwrap_or_else(|| Kin { pid: own_pid(), parent: 0, session: 0, birth: 0, name: String::new() })
}

/// Who runs this process, as far as that is certain.
fn runner(this: Kin, run_id: Option<&OsStr>) -> (How, Identity) {
    let own = identity(&this);
    // Whether all from this process up to the one at hand were given the same value.
    let mut is_of_nextest = run_id.is_some();
    for ancestor in ancestors(&this) {
        is_of_nextest = is_of_nextest && run_id.is_some_and(|id| is_given(ancestor.pid, NEXTEST_RUN_ID, id));
        if is_cargo(&ancestor) {
            return (How::Cargo, identity(&ancestor));
        }
        // One that was given it itself runs in a test of another one. A wrapper such as sudo takes it from the tests.
        if !is_of_nextest && is_nextest(&ancestor) {
            return (How::Nextest, identity(&ancestor));
        }
        // Beyond the tests of nextest there is nobody but nextest: what was left to another one has lost its runner.
        if (run_id.is_some() && !is_of_nextest) || is_shim(&ancestor) {
            break;
        }
    }
    (How::Own, own)
}

/// Those above a process, from the nearest on, as long as they are known.
fn ancestors(this: &Kin) -> impl Iterator<Item = Kin> + use<> {
    let mut parent = this.parent;
    // Each look costs as much as all the rest, so that nobody is looked at who is not asked for.
    let next = move || {
        let kin = Some(parent).filter(|parent| *parent > 0).and_then(procfs::kin)?;
        parent = kin.parent;
        Some(kin)
    };
    std::iter::from_fn(next).take(ANCESTORS)
}

fn identity(kin: &Kin) -> Identity {
    Identity { pid: kin.pid, birth: kin.birth }
}

fn is_given(pid: i32, variable: &str, value: &OsStr) -> bool {
    procfs::given(pid, variable).is_some_and(|given| given == value.as_bytes())
}

/// Some systems wrap their programs, and hide what is wrapped.
fn is_cargo(kin: &Kin) -> bool {
    matches!(kin.name.as_str(), "cargo" | ".cargo-wrapped")
}

/// By its file, too: of a name the kernel keeps the beginning.
fn is_nextest(kin: &Kin) -> bool {
    let is_so = |name: &str| matches!(name, "cargo-nextest" | "nextest" | ".cargo-nextest-wrapped");
    let file = || procfs::executable(kin.pid)?.file_name().map(|name| name.to_string_lossy().into_owned());
    is_so(&kin.name) || (kin.name.contains("nextest") && file().is_some_and(|name| is_so(&name)))
}

fn is_shim(kin: &Kin) -> bool {
    platform::GIVES_NAMES && SHIM_NAME.to_str() == Ok(kin.name.as_str())
}

/// `nightly`, or `nightly@4711`.
fn said_by_setting(said: &str, this: &Kin) -> Result<TestRun> {
    let runner = match said.rsplit_once('@') {
        Some((name, pid)) => said_process(name, pid).map_err(|why| mistaken(said, why))?,
        None => setter(said, this),
    };
    Ok(TestRun::new(How::Said(said.to_owned()), runner))
}

fn said_process(name: &str, pid: &str) -> std::result::Result<Identity, String> {
    if name.is_empty() {
        return Err("there is no name before the @".to_owned());
    }
    let number = pid.parse().ok().filter(|pid| *pid > 0);
    let number = number.ok_or_else(|| format!("`{pid}` behind the @ is not the id of a process"))?;
    Identity::of(number).ok_or_else(|| format!("there is no process {number}"))
}

fn mistaken(said: &str, why: String) -> Error {
    Error::other(format!("the run of this test was not found: {PKIT_RUN_ID}={said}: {why}"))
        .fact("hint", "it is a name, such as nightly, or a name and the process whose life the run is: nightly@4711")
}

/// Who has set the variable: the parent of the last one that was given it. One that has adopted that, or has made it a session of
/// its own, has not; then it is the last one itself.
fn setter(said: &str, this: &Kin) -> Identity {
    let mut last = this.clone();
    for ancestor in ancestors(this) {
        if !is_given(ancestor.pid, PKIT_RUN_ID, OsStr::new(said)) {
            let has_set = ancestor.pid > 1 && ancestor.session == last.session;
            return identity(if has_set { &ancestor } else { &last });
        }
        last = ancestor;
    }
    identity(&last)
}

#[cfg(test)]
mod tests;
