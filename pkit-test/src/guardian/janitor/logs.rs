//! Logs that nobody has looked at for days.
//!
//! The log of a test that failed or was killed stays for people. It is removed when it has not been written to for a week. The
//! directory may be anybody's choice and hold other things: what is removed has a name as only our logs have one, and is a file
//! of ours.

use std::ffi::{CStr, CString};
use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::{now_seconds, parse_run, run_name, shown, take};
use crate::guardian::registry::Registry;
use crate::limits::{JANITOR_ENTRIES, LOG_AGE, LOG_LOOK};
use crate::sys::directory::{self, Budget};

/// When it was last written, somebody has last looked.
const STAMP: &str = ".swept";

/// Whether it is time to look. Where there is no stamp all is new, and the time begins now.
pub(super) fn are_due(logs: &Path) -> bool {
    let stamp = logs.join(STAMP);
    match std::fs::symlink_metadata(&stamp).and_then(|stamp| stamp.modified()) {
        Ok(last) => SystemTime::now().duration_since(last).is_ok_and(|age| age > LOG_LOOK),
        Err(_) => {
            // Where it cannot be made there is nothing to be cleared, either.
            let _ = OpenOptions::new().write(true).create_new(true).mode(0o600).open(stamp);
            false
        }
    }
}

/// Removes what is too old. Says how much.
pub(super) fn clear(logs: &Path, base: &Path, budget: &mut Budget) -> Option<String> {
    if !are_due(logs) {
        return None;
    }
    let directory = directory::open(logs).ok()?;
    // First, so that others need not look as well.
    let stamp = directory::open_file(&directory, &directory::c_name(STAMP), directory::How::Append).ok()?;
    stamp.set_modified(SystemTime::now()).ok()?;
    let base = directory::open(base).ok();
    let names = directory::names(&directory, JANITOR_ENTRIES).ok()?;
    let old = names.iter().filter(|name| {
        budget.spend().is_ok() && !is_of_living(base.as_ref(), name) && clear_one(&directory, name).is_some()
    });
    match old.count() {
        0 => None,
        count => Some(format!("cleared {count} old logs in {}", logs.display())),
    }
}

/// Removes what a test process leaves that is killed while it tries whether there can be logs.
pub(super) fn clear_trial(registry: &Registry) {
    let (Some(logs), Some(test)) = (&registry.logs, registry.test) else { return };
    if let Ok(directory) = directory::open(logs) {
        // There is hardly ever one.
        let _ = directory::remove_empty(&directory, &directory::c_name(&format!("{}.trial", test.pid)));
    }
}

fn clear_one(logs: &OwnedFd, name: &CStr) -> Option<()> {
    let entry = directory::look(logs, name).ok().filter(|entry| entry.is_own)?;
    let age = Duration::from_secs(now_seconds().saturating_sub(u64::try_from(entry.modified).ok()?));
    if entry.is_file && parse_log(name).is_some() && age > LOG_AGE {
        return directory::remove_file(logs, name).ok();
    }
    (!entry.is_file && is_trial(name) && age > LOG_LOOK).then_some(())?;
    directory::remove_empty(logs, name).ok()
}

/// Whether its run goes on: what is kept may not write for longer than that.
fn is_of_living(base: Option<&OwnedFd>, name: &CStr) -> bool {
    let Some((run, base)) = parse_log(name).zip(base) else { return false };
    directory::open_in(base, &run).is_ok() && take(base, &run).is_none()
}

/// The name of the run directory that belongs to a log. Logs are `4711.2-redis.1-a1b2c3.log`, with `.idx` and `.1`.
fn parse_log(name: &CStr) -> Option<CString> {
    let name = name.to_str().ok()?;
    let name = name.strip_suffix(".1").unwrap_or(name);
    let name = name.strip_suffix(".log").or_else(|| name.strip_suffix(".idx"))?;
    let (pid, rest) = name.split_once('.')?;
    let (number, rest) = rest.split_once('-')?;
    let (rest, token) = rest.rsplit_once('-')?;
    let (_, starts) = rest.rsplit_once('.')?;
    let are_numbers = [pid, number, starts].iter().all(|word| word.parse::<u64>().is_ok());
    let run = run_name(pid, token);
    (are_numbers && parse_run(run.to_bytes()).is_some()).then_some(run)
}

fn is_trial(name: &CStr) -> bool {
    shown(name).strip_suffix(".trial").is_some_and(|pid| pid.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests;
