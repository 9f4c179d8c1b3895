//! A user namespace: the right to make the others, for those who are not root.
//!
//! A user is itself in it, and nobody else is anybody. A process with threads may not enter one, so a test binary does
//! before `main`, when it is asked to.

use std::fs;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};

use nix::errno::Errno;
use nix::sched::{CloneFlags, unshare};
use nix::unistd::{getegid, geteuid};

use super::{Refusal, USER_NAMESPACE, UserNamespace, capability, is_asked};

/// Who somebody is, to be the same in a user namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Itself {
    uid: u32,
    gid: u32,
}

impl Itself {
    /// To be asked before: in a namespace without a map everybody is nobody.
    pub(super) fn now() -> Itself {
        Itself { uid: geteuid().as_raw(), gid: getegid().as_raw() }
    }

    /// Writes the maps of the namespace that the calling process has just entered.
    pub(super) fn map(self) -> io::Result<()> {
        let Itself { uid, gid } = self;
        // Without it nobody may map a group who could not before. Kernels before 3.19 do not know it.
        match fs::write("/proc/self/setgroups", "deny") {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        fs::write("/proc/self/uid_map", format!("{uid} {uid} 1"))?;
        fs::write("/proc/self/gid_map", format!("{gid} {gid} 1"))
    }
}

const NOT_ASKED: i32 = 0;
const ENTERED: i32 = -1;
/// What became of it: one of the above, or the error number of the call that was refused.
static STATE: AtomicI32 = AtomicI32::new(NOT_ASKED);
static REFUSED_CALL: AtomicI32 = AtomicI32::new(0);

const CALLS: [&str; 3] = ["unshare(CLONE_NEWUSER)", "the map of users", "capset"];

/// Enters one if the setting asks for it and the right is not there anyway. For the constructor: one look at the
/// environment where nobody asks.
pub(crate) fn enter_user_namespace_if_asked() {
    let value = std::env::var_os(USER_NAMESPACE);
    if !is_asked(value.as_deref().and_then(std::ffi::OsStr::to_str)) || capability::may_make_namespaces() {
        return;
    }
    let state = match enter() {
        Ok(()) => ENTERED,
        Err((call, error)) => {
            REFUSED_CALL.store(call as i32, Ordering::Relaxed);
            error.raw_os_error().unwrap_or(nix::libc::EIO)
        }
    };
    STATE.store(state, Ordering::Relaxed);
}

fn enter() -> Result<(), (usize, io::Error)> {
    let itself = Itself::now();
    unshare(CloneFlags::CLONE_NEWUSER).map_err(|errno| (0, errno.into()))?;
    itself.map().map_err(|error| (1, error))?;
    // Root is root there, too, and so are the programs that it executes: it has to have what they have to look at them.
    if geteuid().is_root() { Ok(()) } else { capability::keep_ours().map_err(|error| (2, error)) }
}

/// What became of the setting.
pub(crate) fn user_namespace() -> UserNamespace {
    match STATE.load(Ordering::Relaxed) {
        NOT_ASKED => UserNamespace::None,
        ENTERED => UserNamespace::Entered,
        errno => {
            let call = usize::try_from(REFUSED_CALL.load(Ordering::Relaxed)).unwrap_or(0);
            UserNamespace::Refused { call: CALLS[call], errno }
        }
    }
}

/// Does something in which a program is executed that is to have the rights of our user namespace: the guardian.
pub(crate) fn sharing_rights<R>(execute: impl FnOnce() -> io::Result<R>) -> io::Result<R> {
    if user_namespace() != UserNamespace::Entered || geteuid().is_root() {
        return execute();
    }
    capability::pass_on(true)?;
    let result = execute();
    capability::pass_on(false)?;
    result
}

/// What the guardian got by that it does not pass on.
pub(crate) fn share_rights_no_further() {
    let value = std::env::var_os(USER_NAMESPACE);
    if is_asked(value.as_deref().and_then(std::ffi::OsStr::to_str)) && !geteuid().is_root() {
        // A kernel that does not know how has not let us have them, either.
        let _ = capability::pass_on(false);
    }
}

/// Gives up what the calling process has only because its parent had it, as an exec does.
pub(crate) fn leave_rights() -> io::Result<()> {
    if geteuid().is_root() { Ok(()) } else { capability::keep_ambient() }
}

/// Why this system gives nobody who is not root a user namespace, as far as its settings say so.
pub(crate) fn obstacle_of_all() -> Option<&'static str> {
    const SWITCHES: [(&str, &str, &str); 3] = [
        ("/proc/sys/user/max_user_namespaces", "0", "the sysctl user.max_user_namespaces is 0"),
        ("/proc/sys/kernel/unprivileged_userns_clone", "0", "the sysctl kernel.unprivileged_userns_clone is 0"),
        (
            "/proc/sys/kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "AppArmor restricts user namespaces: the sysctl kernel.apparmor_restrict_unprivileged_userns is 1",
        ),
    ];
    let is = |path: &str, value: &str| fs::read_to_string(path).is_ok_and(|text| text.trim() == value);
    SWITCHES.into_iter().find(|(path, value, _)| is(path, value)).map(|(_, _, why)| why)
}

/// The same, and what may be the reason for this process alone.
pub(crate) fn obstacle() -> Option<&'static str> {
    obstacle_of_all().or_else(|| has_filter().then_some("a seccomp filter is in force, as Docker sets one"))
}

/// What is used up, if that is what the error means.
pub(crate) fn limit_reached(error: &io::Error) -> Option<&'static str> {
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSPC | Errno::EUSERS) => {
            Some("a limit is reached, one of the sysctls user.max_{user,pid,mnt,net}_namespaces")
        }
        Some(Errno::EINVAL | Errno::ENOSYS) => Some("this kernel was built without such namespaces"),
        _ => None,
    }
}

fn has_filter() -> bool {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    status.lines().filter_map(|line| line.strip_prefix("Seccomp:")).any(|mode| mode.trim() == "2")
}

pub(super) fn refusal(call: &'static str) -> impl Fn(Errno) -> Refusal {
    move |errno| Refusal { call, error: errno.into() }
}
