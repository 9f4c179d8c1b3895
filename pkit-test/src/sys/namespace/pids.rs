//! A process with ids of its own: the first of them. When it ends the kernel kills all the others.
//!
//! It has a `/proc` of its own as well, in which its descendants find themselves. Everybody else knows them by other
//! ids; so it keeps the `/proc` from before, to tell those.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::OwnedFd;

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::libc;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;

use super::users::Itself;
use crate::sys::child::{Side, Step};

/// The child's side of such a fork, which is not in order yet.
#[derive(Debug)]
pub(crate) struct Apart {
    /// It is in a user namespace that has no map.
    unmapped: Option<Itself>,
}

/// Forks into process ids and mounts of its own. The caller must have one thread only.
///
/// Whoever lacks the right to that gets it from a user namespace, where `may_change_users` allows one: the child can then
/// be nobody else.
pub(crate) fn fork_apart(may_change_users: bool) -> Result<(Side, Apart), (Step, io::Error)> {
    let flags = libc::CLONE_NEWPID | libc::CLONE_NEWNS;
    match clone_like_fork(flags) {
        Err(error) if may_change_users && error.raw_os_error() == Some(libc::EPERM) => {
            let unmapped = Some(Itself::now());
            let side = clone_like_fork(flags | libc::CLONE_NEWUSER).map_err(|error| (Step::OwnUsers, error))?;
            Ok((side, Apart { unmapped }))
        }
        side => Ok((side.map_err(|error| (Step::OwnPids, error))?, Apart { unmapped: None })),
    }
}

fn clone_like_fork(flags: libc::c_int) -> io::Result<Side> {
    let flags = libc::c_long::from(flags | libc::SIGCHLD);
    let none: libc::c_long = 0;
    // Not `clone3`, which a seccomp filter cannot look into and so refuses altogether.
    // SAFETY: without a stack and without shared memory it is a fork; the guardian has one thread, so that no lock can be
    // held by another one, and the C library keeps nothing of a fork that it did not see but an id that nobody asks for.
    let pid = unsafe {
        if cfg!(target_arch = "s390x") {
            libc::syscall(libc::SYS_clone, none, flags, none, none, none)
        } else {
            libc::syscall(libc::SYS_clone, flags, none, none, none, none)
        }
    };
    match pid {
        -1 => Err(io::Error::last_os_error()),
        0 => Ok(Side::Child),
        pid => Ok(Side::Parent { child: pid as i32 }),
    }
}

impl Apart {
    /// Puts it in order: the map of users, if it needs one, and a `/proc` that shows what is below it.
    pub(crate) fn settle(&self) -> Result<Outside, (Step, io::Error)> {
        self.unmapped.map_or(Ok(()), Itself::map).map_err(|error| (Step::UserMap, error))?;
        let outside = Outside::open().map_err(|error| (Step::OwnProc, error))?;
        own_proc().map_err(|errno| (Step::OwnProc, errno.into()))?;
        Ok(outside)
    }
}

fn own_proc() -> nix::Result<()> {
    let nothing: Option<&CStr> = None;
    // First: what is mounted below is to be seen by nobody else.
    mount(nothing, c"/", nothing, MsFlags::MS_REC | MsFlags::MS_PRIVATE, nothing)?;
    let flags = MsFlags::MS_NOSUID | MsFlags::MS_NODEV | MsFlags::MS_NOEXEC;
    mount(Some(c"proc"), c"/proc", Some(c"proc"), flags, nothing)
}

/// Lets the calling process mount without anybody who is there seeing it. A service that covers `/proc` or the directory of
/// its log would take them from its shim, which would not know any more whom it has to end.
pub(crate) fn leave_mounts() -> io::Result<()> {
    Ok(unshare(CloneFlags::CLONE_NEWNS)?)
}

/// The `/proc` of those outside, who know us and our children by other ids.
#[derive(Debug)]
pub(crate) struct Outside {
    proc: OwnedFd,
    own: i32,
}

impl Outside {
    fn open() -> io::Result<Outside> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let proc = nix::fcntl::open("/proc", flags, Mode::empty())?;
        let own = readlinkat(&proc, "self")?;
        let own = own.to_str().and_then(|own| own.parse().ok()).ok_or(Errno::ESRCH)?;
        Ok(Outside { proc, own })
    }

    /// What those outside call the calling process.
    pub(crate) fn own(&self) -> i32 {
        self.own
    }

    /// What they call a child of ours that was not reaped.
    pub(crate) fn id_of(&self, child: i32) -> Option<i32> {
        self.children().into_iter().find(|pid| self.innermost_id(*pid) == Some(child))
    }

    fn children(&self) -> Vec<i32> {
        let own = self.own;
        match self.read(&format!("{own}/task/{own}/children")) {
            Some(listed) => listed.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect(),
            None => self.all().into_iter().filter(|pid| self.field(*pid, "PPid:") == Some(own)).collect(),
        }
    }

    /// For kernels that do not list children.
    fn all(&self) -> Vec<i32> {
        let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
        let Ok(mut listed) = Dir::openat(&self.proc, ".", flags, Mode::empty()) else { return Vec::new() };
        listed.iter().flatten().filter_map(|entry| entry.file_name().to_str().ok()?.parse().ok()).collect()
    }

    /// Its own namespace comes last.
    fn innermost_id(&self, pid: i32) -> Option<i32> {
        self.field(pid, "NSpid:")
    }

    /// The last number of a line of its status.
    fn field(&self, pid: i32, name: &str) -> Option<i32> {
        let status = self.read(&format!("{pid}/status"))?;
        status.lines().find_map(|line| line.strip_prefix(name))?.split_ascii_whitespace().last()?.parse().ok()
    }

    fn read(&self, path: &str) -> Option<String> {
        let file = openat(&self.proc, path, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }
}
