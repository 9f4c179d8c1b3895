//! What a run left whose test and guardian were killed at one moment, or that a reboot ended: found and cleared by the next.
//!
//! ```text
//! lock of a run directory    registry                       what is done
//! held, or not known         (not read)                     nothing: somebody lives, or may live
//! free                       none, or nothing in it         removed if nothing else is in the directory
//! free                       not understood                 nothing: a later version knows more
//! free                       kept until later               nothing: people want to look at it
//! free                       a shim or the guardian lives   nothing: it is stopping its service
//! free                       of this boot and namespace     its processes are ended, then it is removed
//! free                       of another boot or namespace   it is removed: ids in it mean nothing here
//! ```
//!
//! A guardian looks whether there is anything to do ([`Duty::has_work`]), after it has brought its first service up. If there is, a
//! fork of it does the work: that may take a while, and whoever starts something then is not to wait for it. Errors are nobody's
//! business: what cannot be cleared now is for the next one.

use std::ffi::{CStr, CString};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::home::{PREFIX, TOKEN_DIGITS};
use super::registry::{self, Registry};
use crate::config::deadline_in;
use crate::limits::{JANITOR_ENTRIES, JANITOR_NAMES};
use crate::sys::directory::{self, Budget};

mod logs;
mod processes;

use processes::Fate;

/// What one janitor looks at.
#[derive(Debug)]
pub(super) struct Duty {
    /// Where run directories lie.
    pub(super) base: PathBuf,
    /// Where the logs of this test are.
    pub(super) logs: PathBuf,
    /// The run directory of this test, where a guardian before this one has left something in it.
    pub(super) own: Option<PathBuf>,
    /// How long it may take.
    pub(super) limit: Duration,
}

impl Duty {
    /// Whether a janitor would have anything to do, as far as that is known at a glance.
    pub(super) fn has_work(&self) -> bool {
        self.own.is_some() || logs::are_due(&self.logs) || self.has_directory()
    }

    fn has_directory(&self) -> bool {
        let Ok(base) = directory::open(&self.base) else { return false };
        let Ok(names) = directory::names(&base, JANITOR_NAMES) else { return false };
        names.len() == JANITOR_NAMES || names.iter().any(|name| is_run(name) && take(&base, name).is_some())
    }

    /// Does it, and says what was done.
    pub(super) fn clear(&self) -> Vec<String> {
        let mut budget = Budget { deadline: deadline_in(self.limit), entries: JANITOR_ENTRIES };
        let mut said: Vec<String> = self.own.iter().filter_map(|own| end_services(own, &budget)).collect();
        if let Ok(base) = directory::open(&self.base) {
            let names = directory::names(&base, JANITOR_ENTRIES).unwrap_or_default();
            for name in names.iter().filter(|name| is_run(name)) {
                if budget.spend().is_err() {
                    return said;
                }
                said.extend(self.clear_one(&base, name, &mut budget));
            }
        }
        said.extend(logs::clear(&self.logs, &self.base, &mut budget));
        said
    }

    fn clear_one(&self, base: &OwnedFd, name: &CStr, budget: &mut Budget) -> Option<String> {
        let directory = take(base, name)?;
        let registry = match Registry::read(&directory) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // One that is being made is made again.
                if directory::names(&directory, 2).ok()? == [registry::FILE.to_owned()] {
                    directory::remove_file(&directory, registry::FILE).ok()?;
                }
                directory::remove_empty(base, name).ok()?;
                return Some(format!("cleared {}, which was empty", self.base.join(shown(name)).display()));
            }
            registry => registry.ok()??,
        };
        if is_kept(&registry) {
            return None;
        }
        let Fate::Ended(pids) = processes::end(&registry, budget.deadline) else { return None };
        directory::empty(&directory, registry::FILE, budget).ok()?;
        // Last, so that a janitor that does not get this far leaves all that is known to the next one.
        directory::remove_file(&directory, registry::FILE).ok()?;
        directory::remove_empty(base, name).ok()?;
        logs::clear_trial(&registry);
        let whose = registry.test.map_or_else(|| "a test".to_owned(), |test| format!("process {}", test.pid));
        Some(format!("cleared what {whose} left: {}{}", self.base.join(shown(name)).display(), of(&pids)))
    }
}

/// What a guardian before this one, of the same test, has left without shims.
fn end_services(own: &Path, budget: &Budget) -> Option<String> {
    let registry = Registry::read(&directory::open_at(own).ok()?).ok()??;
    let pids = processes::end_abandoned(&registry, budget.deadline);
    (!pids.is_empty()).then(|| format!("cleared what guardians before this one left{}", of(&pids)))
}

fn of(pids: &[i32]) -> String {
    let list: Vec<String> = pids.iter().map(i32::to_string).collect();
    if list.is_empty() { String::new() } else { format!(", and the processes {}", list.join(", ")) }
}

/// Opens and locks a run directory, if it is ours and nobody has it.
fn take(base: &OwnedFd, name: &CStr) -> Option<OwnedFd> {
    let directory = directory::open_in(base, name).ok()?;
    let is_free = directory::is_private(&directory) && directory::try_lock(&directory).ok()?;
    // Between the two somebody may have removed it, and made another one.
    (is_free && directory::is_in(&directory, base, name)).then_some(directory)
}

/// Whether that is the name of a run directory: nothing else is ever opened.
fn is_run(name: &CStr) -> bool {
    parse_run(name.to_bytes()).is_some()
}

/// The process id and the token in such a name.
fn parse_run(name: &[u8]) -> Option<(i32, &str)> {
    let (pid, token) = std::str::from_utf8(name).ok()?.strip_prefix(PREFIX)?.split_once('-')?;
    let is_token = token.len() == TOKEN_DIGITS && token.bytes().all(|byte| byte.is_ascii_hexdigit());
    pid.parse().ok().filter(|_| is_token).map(|pid| (pid, token))
}

fn run_name(pid: &str, token: &str) -> CString {
    directory::c_name(&format!("{PREFIX}{pid}-{token}"))
}

fn is_kept(registry: &Registry) -> bool {
    registry.kept_until.is_some_and(|until| until > now_seconds())
}

/// In seconds since 1970, as a registry has it: a reboot does not change what that means.
pub(super) fn now_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn shown(name: &CStr) -> String {
    name.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests;
