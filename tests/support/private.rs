//! Survivors, counted by the one mark that a process cannot clear: the file that it executes.
//!
//! A child may leave its session, empty its environment, close its descriptors and change its name; `/proc/PID/exe`
//! stays. So each test runs a copy of its own, in a directory of its own, and what executes that file was started for
//! that test. A list of processes misses one that hops from pid to pid faster than the list is read, nearly always;
//! the kernel does not: it refuses to cut a file that anybody executes (`ETXTBSY`). Both are asked.

use std::fs::File;
use std::os::fd::AsRawFd as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{fs, process};

use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::unistd::truncate;

use crate::child::wait_ms;
use crate::process::{pids, signal_process, stat};

const BETWEEN_LOOKS_MS: u32 = 2;

/// How often the list is read again to find out who it is that executes a file.
const READS: u32 = 3;

/// How long and how often nobody may be found who does, before it is one that hops. Whoever reads of a process in `/proc` holds its
/// memory for that moment, and with that the file, also when the process itself is gone; on a busy machine the moment can be long,
/// and it may be us who stand still meanwhile.
const READERS: Duration = Duration::from_secs(1);
const LOOKS: u32 = 50;

/// Stands for a process that is there but hops too fast to be named.
pub const HOPPING: u32 = 0;

/// An executable that nobody else runs. Dropping it removes it, and ends what still runs it.
#[derive(Debug)]
pub struct Private {
    path: PathBuf,
}

impl Private {
    /// A private copy of one of the programs in `children/`.
    #[must_use]
    pub fn copy_of(child: &str) -> Private {
        Private::copy_of_file(&executable(child))
    }

    /// A private copy of any executable.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    #[must_use]
    pub fn copy_of_file(original: &Path) -> Private {
        Private::copy_of_file_in(&own_place(), original)
    }

    /// The same below another directory, for a place that others may look into.
    #[must_use]
    pub fn copy_of_in(place: &Path, child: &str) -> Private {
        Private::copy_of_file_in(place, &executable(child))
    }

    /// The same for any executable.
    ///
    /// # Panics
    ///
    /// If there is no such file.
    #[must_use]
    pub fn copy_of_file_in(place: &Path, original: &Path) -> Private {
        let name = original.file_name().expect("an executable has a name");
        let path = own_directory(place).join(name);
        copy(original, &path);
        Private { path }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The command that runs it with these arguments, for a shell or for what splits words as a shell does.
    #[must_use]
    pub fn command(&self, arguments: &str) -> String {
        format!("'{}' {arguments}", self.path.display())
    }

    /// The processes that run it.
    #[must_use]
    pub fn survivors(&self) -> Vec<u32> {
        survivors(&self.path)
    }

    /// Waits until nothing runs it any more, at most so long, and returns what then still does.
    #[must_use]
    pub fn wait_gone(&self, bound: Duration) -> Vec<u32> {
        wait_gone(&self.path, bound)
    }
}

impl Drop for Private {
    /// After a test that failed: the machine is not to suffer for it. A hopper sees that its file is gone and ends, so that is the
    /// first thing: to look for one takes a second, in which it goes on. The rest goes when nobody is left who could write there.
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path); // A test may have done so itself.
        self.survivors().into_iter().filter(|&pid| pid != HOPPING).for_each(end);
        if let Some(directory) = self.path.parent() {
            let _ = fs::remove_dir_all(directory); // It lies in the target directory, where it does no harm.
            if let Some(place) = directory.parent().filter(|place| !place.starts_with(profile_directory())) {
                let _ = fs::remove_dir(place); // Unless somebody else has something in it.
            }
        }
    }
}

/// The processes that execute the file at `path`, also when it has been deleted. Zombies execute nothing.
#[must_use]
pub fn survivors(path: &Path) -> Vec<u32> {
    for _ in 0..READS {
        let found: Vec<u32> = pids().into_iter().filter(|&pid| executes(pid, path)).collect();
        if !found.is_empty() || !is_executed(path) {
            return found;
        }
    }
    // Only now: of the dead there may be many.
    let headless: Vec<u32> = pids().into_iter().filter(|&pid| goes_on_without_its_first_thread(pid, path)).collect();
    if headless.is_empty() { survivors_but_readers(path) } else { headless }
}

fn survivors_but_readers(path: &Path) -> Vec<u32> {
    let deadline = Instant::now() + READERS;
    let mut looks = 0;
    while Instant::now() < deadline || looks < LOOKS {
        let found: Vec<u32> = pids().into_iter().filter(|&pid| executes(pid, path)).collect();
        if !found.is_empty() || !is_executed(path) {
            return found;
        }
        looks += 1;
        wait_ms(BETWEEN_LOOKS_MS);
    }
    vec![HOPPING]
}

/// Waits until nothing executes `path`, and returns what still does when the bound is reached. It only catches a hang:
/// nobody is to rely on how long it is.
#[must_use]
pub fn wait_gone(path: &Path, bound: Duration) -> Vec<u32> {
    let deadline = Instant::now() + bound;
    loop {
        let left = survivors(path);
        if left.is_empty() || Instant::now() >= deadline {
            return left;
        }
        wait_ms(BETWEEN_LOOKS_MS);
    }
}

/// Where private copies are, unless somebody wants them elsewhere.
///
/// # Panics
///
/// When called from anything but a test binary that cargo built.
#[must_use]
pub fn own_place() -> PathBuf {
    profile_directory().join("private")
}

/// One of the programs in `children/`, where cargo has put it: beside the directory of the test binaries.
///
/// # Panics
///
/// When called from anything but a test binary that cargo built.
#[must_use]
pub fn executable(child: &str) -> PathBuf {
    // A runner that moves the binaries elsewhere says where they are.
    if let Some(path) = std::env::var_os(format!("NEXTEST_BIN_EXE_{child}")) {
        return path.into();
    }
    profile_directory().join(child)
}

fn executes(pid: u32, path: &Path) -> bool {
    is_executed_by(&format!("/proc/{pid}"), path)
}

/// The process itself then seems to execute nothing, as a zombie does; its other threads know better.
fn goes_on_without_its_first_thread(pid: u32, path: &Path) -> bool {
    if stat(pid).is_none_or(|stat| stat.state != 'Z') {
        return false;
    }
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.filter_map(|thread| thread.path().to_str().map(str::to_owned)).any(|thread| is_executed_by(&thread, path))
}

fn is_executed_by(entry: &str, path: &Path) -> bool {
    let Ok(target) = fs::read_link(format!("{entry}/exe")) else { return false };
    // When the file is gone the kernel appends a word to its name.
    target == path || target.to_str().and_then(|text| text.strip_suffix(" (deleted)")).map(Path::new) == Some(path)
}

/// Whether anybody executes it, by the kernel's own count. It would refuse to open it for writing as well, but a descriptor is
/// inherited by whatever another thread forks at that moment, and while that holds it nobody can start the copy. Nor can anybody
/// while it is being cut, for which a file system may take its time: that is only asked of what somebody has open.
fn is_executed(path: &Path) -> bool {
    let length = fs::metadata(path).ok().and_then(|file| file.len().try_into().ok());
    length.is_some_and(|length| !is_closed(path) && truncate(path, length) == Err(Errno::ETXTBSY))
}

/// Whether nobody has it open, who executes it no more than anybody else: only then there is a lease for writing, upon which
/// somebody who starts it at that moment waits, where a file that is written to would be an error.
fn is_closed(path: &Path) -> bool {
    let Ok(file) = File::open(path) else { return false };
    // SAFETY: integers, and a descriptor that is open until the end of this function. The signal that tells of a start is one that
    // nobody minds.
    let lease = |kind: libc::c_int| unsafe {
        libc::fcntl(file.as_raw_fd(), F_SETSIG, libc::SIGURG) == 0
            && libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, kind) == 0
    };
    // Given back at once, as a fork may have the descriptor, too.
    lease(libc::F_WRLCK) && lease(libc::F_UNLCK)
}

/// Which signal tells the holder of a lease that somebody else wants the file. Not every version of `libc` has it.
const F_SETSIG: libc::c_int = 10;

/// By another process: were the copy open for writing in this one, a child that another thread forks at that moment
/// would hold it too, and a start of the copy could fail.
fn copy(original: &Path, to: &Path) {
    let copied = Command::new("cp").arg("--").args([original, to]).status();
    assert!(copied.is_ok_and(|status| status.success()), "{} cannot be copied; is it built?", original.display());
}

fn own_directory(place: &Path) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let directory = place.join(format!("{}-{number}", process::id()));
    let _ = fs::remove_dir_all(&directory); // Of an earlier process with our pid, which died before it could do so.
    // Again, for somebody may just have removed the place because nothing was in it.
    let made = (0..3)
        .map(|_| fs::create_dir_all(&directory))
        .find(Result::is_ok)
        .unwrap_or_else(|| fs::create_dir_all(&directory));
    made.unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    directory
}

/// `target/debug`, or whatever the profile is called.
fn profile_directory() -> PathBuf {
    let binary = std::env::current_exe().expect("procfs is mounted");
    let up = |path: &Path| path.parent().map(Path::to_owned).expect("a test binary lies in `deps`");
    let directory = up(&binary);
    if directory.ends_with("deps") || directory.ends_with("examples") { up(&directory) } else { directory }
}

fn end(pid: u32) {
    let _ = signal_process(pid, Signal::SIGKILL); // It may be gone by now.
}
