//! What is written about a run beside its lock, for a janitor that comes when everybody is dead.
//!
//! One line a fact. A line is added in one write, so that whoever is killed leaves whole lines; what has lost its end is not
//! read. Nothing is forced to the disk: after a crash of the system no process of it lives.
//!
//! ```text
//! pkit 1                              the format
//! boot 5f6a…                          process ids mean something until the next one
//! namespace 4026531836                and in this pid namespace
//! test 4711 163440                    who made it: process id and start time, in ticks since the boot
//! logs /home/me/project/target/pkit   where its logs are
//! guardian 4712 163441
//! service 4713 163442 4714 163443 77,78     its shim, itself, and the pipes that the shim reads and writes
//! gone 4713                           nothing is left of what this shim had
//! kept-until 1790000000               the test has ended, and people want to look until then
//! ```

use std::collections::BTreeMap;
use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::limits::{REGISTRY_BYTES, REGISTRY_WASTE_BYTES};
use crate::sys::child::own_pid;
use crate::sys::directory::{self, How};
use crate::sys::held::Identity;
use crate::sys::procfs;

/// Its name in the run directory.
pub(super) const FILE: &CStr = c"run";

/// What it is written under before it takes the place of a longer one.
const NEXT_FILE: &CStr = c"run.next";

/// The first line. Whoever does not know it must not touch anything.
const FORMAT: &[u8] = b"pkit 1";

/// A service, known by its shim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    pub(super) shim: Identity,
    pub(super) leader: Identity,
    /// Only it and what descends from it hold the other ends of these.
    pub(super) pipes: Vec<u64>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fact {
    Boot(String),
    Namespace(u64),
    Test(Identity),
    Logs(PathBuf),
    Guardian(Identity),
    Service(Service),
    Gone { shim: i32 },
    KeptUntil(u64),
}

impl Fact {
    fn to_bytes(&self) -> Vec<u8> {
        let text = match self {
            Fact::Boot(id) => format!("boot {id}\n"),
            Fact::Namespace(inode) => format!("namespace {inode}\n"),
            Fact::Test(test) => format!("test {test}\n"),
            Fact::Logs(path) => return [b"logs ", path.as_os_str().as_bytes(), b"\n"].concat(),
            Fact::Guardian(guardian) => format!("guardian {guardian}\n"),
            Fact::Service(Service { shim, leader, pipes }) => {
                let pipes: Vec<String> = pipes.iter().map(u64::to_string).collect();
                format!("service {shim} {leader} {}\n", pipes.join(","))
            }
            Fact::Gone { shim } => format!("gone {shim}\n"),
            Fact::KeptUntil(seconds) => format!("kept-until {seconds}\n"),
        };
        text.into_bytes()
    }

    fn from_line(line: &[u8]) -> Option<Fact> {
        if let Some(path) = line.strip_prefix(b"logs ") {
            return Some(Fact::Logs(std::ffi::OsString::from_vec(path.to_vec()).into()));
        }
        let mut words = std::str::from_utf8(line).ok()?.split(' ');
        let words = &mut words;
        Some(match words.next()? {
            "boot" => Fact::Boot(words.next()?.to_owned()),
            "namespace" => Fact::Namespace(words.next()?.parse().ok()?),
            "test" => Fact::Test(identity(words)?),
            "guardian" => Fact::Guardian(identity(words)?),
            "service" => Fact::Service(Service {
                shim: identity(words)?,
                leader: identity(words)?,
                pipes: words.next()?.split(',').filter_map(|pipe| pipe.parse().ok()).collect(),
            }),
            "gone" => Fact::Gone { shim: words.next()?.parse().ok()? },
            "kept-until" => Fact::KeptUntil(words.next()?.parse().ok()?),
            _ => return None,
        })
    }
}

fn identity<'a>(words: &mut impl Iterator<Item = &'a str>) -> Option<Identity> {
    let pid = words.next()?.parse().ok().filter(|pid| *pid > 1)?;
    Some(Identity { pid, birth: words.next()?.parse().ok()? })
}

/// All that holds now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Registry {
    pub(super) boot: Option<String>,
    pub(super) namespace: Option<u64>,
    pub(super) test: Option<Identity>,
    pub(super) logs: Option<PathBuf>,
    pub(super) guardian: Option<Identity>,
    /// By the id of the shim.
    pub(super) services: BTreeMap<i32, Service>,
    pub(super) kept_until: Option<u64>,
}

impl Registry {
    /// That of a test process which has started nothing yet.
    pub(super) fn of_test(logs: &Path) -> Registry {
        Registry {
            boot: procfs::boot_id(),
            namespace: procfs::pid_namespace(),
            test: Identity::of(own_pid()),
            // A path with an end of line in it would be another fact.
            logs: Some(logs.to_owned()).filter(|path| !path.as_os_str().as_bytes().contains(&b'\n')),
            ..Registry::default()
        }
    }

    /// Reads the one in a directory. `None` where there is one that cannot be understood.
    ///
    /// # Errors
    ///
    /// When there is none, or nothing in it, or it is no file, or larger than any of ours.
    pub(super) fn read(directory: &OwnedFd) -> io::Result<Option<Registry>> {
        let file = directory::open_file(directory.as_fd(), FILE, How::Read)?;
        let mut bytes = Vec::new();
        file.take(REGISTRY_BYTES + 1).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > REGISTRY_BYTES {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        if bytes.is_empty() {
            // Whoever has made it was killed before it could write: it has started nothing.
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Registry::from_bytes(&bytes))
    }

    /// Whether the ids in it mean our processes: the system was not started anew, and we see the same processes.
    pub(super) fn is_of_now(&self) -> bool {
        let is_known = self.boot.is_some() && self.namespace.is_some();
        is_known && self.boot == procfs::boot_id() && self.namespace == procfs::pid_namespace()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let facts = [
            self.boot.clone().map(Fact::Boot),
            self.namespace.map(Fact::Namespace),
            self.test.map(Fact::Test),
            self.logs.clone().map(Fact::Logs),
            self.guardian.map(Fact::Guardian),
            self.kept_until.map(Fact::KeptUntil),
        ];
        let services = self.services.values().cloned().map(Fact::Service);
        let lines = facts.into_iter().flatten().chain(services).flat_map(|fact| fact.to_bytes());
        FORMAT.iter().copied().chain([b'\n']).chain(lines).collect()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Registry> {
        let whole = bytes.iter().rposition(|byte| *byte == b'\n')?;
        let mut lines = bytes[..whole].split(|byte| *byte == b'\n');
        if lines.next() != Some(FORMAT) {
            return None;
        }
        let mut registry = Registry::default();
        // What is unknown here is from a later version, which has kept the format because it can be left out.
        lines.filter_map(Fact::from_line).for_each(|fact| registry.learn(fact));
        Some(registry)
    }

    fn learn(&mut self, fact: Fact) {
        match fact {
            Fact::Boot(id) => self.boot = Some(id),
            Fact::Namespace(inode) => self.namespace = Some(inode),
            Fact::Test(test) => self.test = Some(test),
            Fact::Logs(path) => self.logs = Some(path),
            Fact::Guardian(guardian) => self.guardian = Some(guardian),
            Fact::Service(service) => drop(self.services.insert(service.shim.pid, service)),
            Fact::Gone { shim } => drop(self.services.remove(&shim)),
            Fact::KeptUntil(seconds) => self.kept_until = Some(seconds),
        }
    }
}

/// For the fuzzer: what was understood as it is written, and the processes in it that would be looked at.
#[cfg(any(test, pkit_fuzz))]
pub(crate) fn rewritten(bytes: &[u8]) -> Option<(Vec<u8>, Vec<i32>)> {
    let registry = Registry::from_bytes(bytes)?;
    let services = registry.services.values().flat_map(|service| [service.shim, service.leader]);
    let all = services.chain(registry.test).chain(registry.guardian);
    Some((registry.to_bytes(), all.map(|identity| identity.pid).collect()))
}

/// The registry of a guardian, which adds to it.
#[derive(Debug)]
pub(super) struct Ledger {
    /// Its lock is held as long as this is open.
    directory: OwnedFd,
    file: Option<File>,
    known: Registry,
    has_heritage: bool,
    /// How much of the file is about what is gone.
    waste: u64,
}

impl Ledger {
    /// Goes on with what the test has begun, or an earlier guardian. Where there is nothing that can be gone on with, nothing is
    /// noted: the lock is held all the same.
    pub(super) fn open(directory: OwnedFd) -> Ledger {
        let known = Registry::read(&directory).ok().flatten();
        let file = known.as_ref().and_then(|_| directory::open_file(directory.as_fd(), FILE, How::Append).ok());
        let known = known.unwrap_or_default();
        let has_heritage = !known.services.is_empty();
        let mut ledger = Ledger { directory, file, known, has_heritage, waste: 0 };
        // A full disk: what is not written is not known.
        let _ = ledger.note(Identity::of(own_pid()).map(Fact::Guardian));
        ledger
    }

    /// Whether a guardian before us has left a service in it.
    pub(super) fn has_heritage(&self) -> bool {
        self.has_heritage
    }

    /// Notes that a service runs, as it was found a moment ago. A daemon's leader may have ended since, and its id may be another
    /// one's: then it is noted as one that is as old as its shim, which nobody is who gets its id, and what it has left is
    /// known by the pipes.
    pub(super) fn started(&mut self, shim: i32, leader: i32) -> io::Result<()> {
        let Some(shim) = Identity::of(shim) else { return Ok(()) };
        let known = Identity::of(leader).filter(|_| procfs::parent(leader) == Some(shim.pid));
        let leader = known.unwrap_or(Identity { pid: leader, ..shim });
        let pipes = procfs::pipe_inodes(shim.pid);
        self.note(Some(Fact::Service(Service { shim, leader, pipes })))
    }

    /// Notes that nothing of it is left.
    pub(super) fn gone(&mut self, shim: i32) -> io::Result<()> {
        let fact = self.known.services.contains_key(&shim).then_some(Fact::Gone { shim });
        self.note(fact)
    }

    /// Notes until when everything stays up.
    pub(super) fn kept_until(&mut self, seconds: u64) -> io::Result<()> {
        self.note(Some(Fact::KeptUntil(seconds)))
    }

    fn note(&mut self, fact: Option<Fact>) -> io::Result<()> {
        let (Some(fact), Some(file)) = (fact, &mut self.file) else { return Ok(()) };
        let line = fact.to_bytes();
        if matches!(fact, Fact::Gone { .. }) {
            self.waste += line.len() as u64 + SERVICE_BYTES;
        }
        self.known.learn(fact);
        if self.waste > REGISTRY_WASTE_BYTES { self.begin_again() } else { file.write_all(&line) }
    }

    /// Writes only what still holds. Whoever looks meanwhile finds the old one or the new one, and each is whole.
    fn begin_again(&mut self) -> io::Result<()> {
        let mut file = directory::open_file(self.directory.as_fd(), NEXT_FILE, How::Replace)?;
        file.write_all(&self.known.to_bytes())?;
        directory::rename_in(&self.directory, NEXT_FILE, FILE)?;
        (self.file, self.waste) = (Some(file), 0);
        Ok(())
    }
}

/// How long the line of a service is, nearly.
const SERVICE_BYTES: u64 = 64;

#[cfg(test)]
mod tests;
