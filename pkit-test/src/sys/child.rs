//! Children of a single-threaded process: fork, exec, reap, signal.
//!
//! Guardian and shims have one thread, so a fork copies a whole, sound process. A child is signalled only while it
//! cannot have been reaped: whoever signals here is also the only one who reaps.

use std::convert::Infallible;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, rlim_t, setrlimit};
use nix::sys::stat::{Mode, mode_t, umask};
use nix::sys::wait::waitpid;
use nix::unistd::{self, ForkResult, Pid};

use super::strays::{self, Whose};
use super::{fd, fresh, namespace, platform, procfs, user::User, wait};

mod function;

/// Which side of a fork we are on.
pub(crate) enum Side {
    Parent { child: i32 },
    Child,
}

/// Forks. The caller must have one thread only.
pub(crate) fn fork() -> io::Result<Side> {
    // SAFETY: guardian and shim are single-threaded, so no lock can be held by a thread that is not copied.
    match unsafe { unistd::fork()? } {
        ForkResult::Parent { child } => {
            strays::has_begun(child.as_raw());
            Ok(Side::Parent { child: child.as_raw() })
        }
        ForkResult::Child => Ok(Side::Child),
    }
}

/// Ends the process at once, without exit handlers and destructors: those belong to the test binary.
pub(crate) fn exit_now(code: i32) -> ! {
    // SAFETY: _exit only takes the process away.
    unsafe { libc::_exit(code) }
}

/// How a child ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum End {
    Code(i32),
    Signal { number: i32, core_dumped: bool },
}

/// What became of the children at a look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reaped {
    /// This child ended, and its id may be used again from now on.
    Ended(i32, End),
    /// There are children, and none has ended since the last look.
    NoneYet,
    /// There is no child: under a subreaper the proof that no descendant is left.
    NoChildren,
}

/// Takes the exit of one child, any child, without waiting.
///
/// Not by nix, which refuses a status with a real-time signal in it: the child is reaped, and nobody knows which.
///
/// Where orphans do not come back, no child is not yet the end: it is when none of the orphans that we know lives.
pub(crate) fn reap() -> Reaped {
    strays::look_if_due();
    if strays::are_all_ours() { reap_after_strays() } else { reap_child() }
}

/// Tells of the end of the one child, and reaps it after its orphans.
fn reap_after_strays() -> Reaped {
    let end = match peek() {
        Some(end @ Reaped::Ended(..)) => end,
        Some(other) => return other,
        // There is none, or one that was stopped and waits for us: as always.
        None => return reap_child(),
    };
    if !strays::leader_has_ended() {
        strays::look_at_all();
        return end;
    }
    if has_strays() {
        return Reaped::NoneYet;
    }
    // Somebody may be there all the same who hops away from every look. This is the end, so there is nobody to spare.
    strays::kill_group();
    if has_strays() {
        return Reaped::NoneYet;
    }
    match reap_child() {
        // It was told before.
        Reaped::Ended(..) => Reaped::NoChildren,
        reaped => reaped,
    }
}

/// How a child has ended, which stays to be reaped.
fn peek() -> Option<Reaped> {
    let options = libc::WEXITED | libc::WNOHANG | libc::WNOWAIT;
    // SAFETY: a zeroed siginfo is a valid empty one; waitid fills it, and for a child that has ended the two fields are there.
    let (result, pid, number, code) = unsafe {
        let mut info: libc::siginfo_t = std::mem::zeroed();
        let result = libc::waitid(libc::P_ALL, 0, &raw mut info, options);
        (result, info.si_pid(), info.si_status(), info.si_code)
    };
    let end = match code {
        _ if result == -1 => return None,
        _ if pid == 0 => return Some(Reaped::NoneYet),
        libc::CLD_EXITED => End::Code(number),
        code => End::Signal { number, core_dumped: code == libc::CLD_DUMPED },
    };
    Some(Reaped::Ended(pid, end))
}

fn has_strays() -> bool {
    if strays::living().is_empty() {
        strays::look_at_all();
    }
    !strays::living().is_empty()
}

fn reap_child() -> Reaped {
    let mut status = 0;
    loop {
        // SAFETY: waitpid writes nothing but the one status.
        let pid = unsafe { libc::waitpid(-1, &raw mut status, libc::WNOHANG) };
        return match pid {
            // A program that lets its parent trace it, against being traced by others, waits for its parent's word.
            1.. if libc::WIFSTOPPED(status) => {
                platform::let_traced_go_on(pid, libc::WSTOPSIG(status));
                continue;
            }
            1.. if libc::WIFEXITED(status) => Reaped::Ended(pid, End::Code(libc::WEXITSTATUS(status))),
            1.. => {
                let (number, core_dumped) = (libc::WTERMSIG(status), libc::WCOREDUMP(status));
                Reaped::Ended(pid, End::Signal { number, core_dumped })
            }
            0 => Reaped::NoneYet,
            _ => match Errno::last() {
                Errno::EINTR => continue,
                Errno::ECHILD => Reaped::NoChildren,
                _ => Reaped::NoneYet,
            },
        };
    }
}

/// Whether this child has ended; it is reaped then.
pub(crate) fn has_ended(child: i32) -> bool {
    use nix::sys::wait::{WaitPidFlag, WaitStatus};
    waitpid(Pid::from_raw(child), Some(WaitPidFlag::WNOHANG)) != Ok(WaitStatus::StillAlive)
}

/// Waits for the end of a child that is about to end.
pub(crate) fn wait_for(child: i32) {
    // Reaped already, or not ours any more: either way it is not waited for.
    while waitpid(Pid::from_raw(child), None) == Err(Errno::EINTR) {}
}

/// Signals a child that was not reaped yet. A child that is dead already is not an error.
pub(crate) fn signal(child: i32, number: i32) -> io::Result<()> {
    if let Some(result) = strays::signal(child, number) {
        return result;
    }
    // SAFETY: kill takes two integers. The id cannot have been reused: only we reap it, and did not.
    let result = unsafe { libc::kill(child, number) };
    if result == 0 {
        return Ok(());
    }
    match io::Error::last_os_error() {
        error if error.raw_os_error() == Some(libc::ESRCH) => Ok(()),
        error => Err(error),
    }
}

/// Wakes a stopped child, so that it sees the signal it was sent.
pub(crate) fn wake(child: i32) {
    // A child that is gone or that we may not signal needs no waking.
    let _ = signal(child, libc::SIGCONT);
}

/// The children of the calling process that were not reaped, dead ones included.
///
/// Where they cannot be listed there seem to be none: whoever kills them asks again, and only [`reap`] knows the end.
pub(crate) fn own_children() -> Vec<i32> {
    let mut children = procfs::children_of_single(own_pid()).unwrap_or_default();
    if strays::is_needed() {
        strays::look_at_all();
        let ended = strays::ended_leader();
        children.retain(|child| Some(*child) != ended);
        children.extend(strays::living());
    }
    children
}

/// How many of the newest processes are looked at for one that hops: fewer take less time than it stays.
const NEWEST: usize = 16;

/// The id of the first process of its pid namespace.
const FIRST_PID: i32 = 1;

/// From now on orphans among the descendants count as children: they become such, or they are looked for.
pub(crate) fn adopt_orphans(whose: Whose) {
    match platform::become_subreaper() {
        Ok(()) => strays::end(),
        // They come to the first process of a pid namespace in any case.
        Err(_) if own_pid() == FIRST_PID => strays::end(),
        Err(_) => strays::begin(whose),
    }
}

/// The id of the calling process and of its parent.
pub(crate) fn own_pid() -> i32 {
    unistd::getpid().as_raw()
}

pub(crate) fn parent_pid() -> i32 {
    unistd::getppid().as_raw()
}

/// Leaves the session, the terminal and the process group of the parent.
pub(crate) fn leave_session() {
    // Fails only for a group leader, which has left already.
    let _ = unistd::setsid();
}

/// Makes files as another process would, or at least so that whoever makes them can use them.
pub(crate) fn set_file_mask(mask: Option<u32>) {
    let own = umask(Mode::empty());
    let mask = mask.map_or(own, |mask| Mode::from_bits_truncate(mask as mode_t));
    umask(mask.difference(Mode::S_IRWXU));
}

/// Raises the limit of open files as far as allowed and returns what it was.
pub(crate) fn raise_file_limit() -> Option<FileLimit> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).ok()?;
    Some(FileLimit { soft, hard })
}

/// A limit of open files, to be given back to services.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileLimit {
    soft: rlim_t,
    hard: rlim_t,
}

impl FileLimit {
    /// For a process that is started by one that has raised its own, and is to give back what was before that.
    pub(crate) fn said(self) -> String {
        self.soft.to_string()
    }

    pub(crate) fn or_said(self, said: Option<&str>) -> FileLimit {
        FileLimit { soft: said.and_then(|said| said.parse().ok()).unwrap_or(self.soft).min(self.hard), ..self }
    }
}

/// Everything that turns a fork into a service. Prepared before the fork; nothing is looked up after it.
#[derive(Debug)]
pub(crate) struct Image {
    pub(crate) body: Body,
    /// The descriptors that it is to have beside the standard ones, from 3 on.
    pub(crate) given: Vec<OwnedFd>,
    pub(crate) environment: Vec<CString>,
    pub(crate) cwd: CString,
    pub(crate) user: Option<User>,
    pub(crate) file_limit: Option<FileLimit>,
    /// What it mounts its parent is not to see.
    pub(crate) has_own_mounts: bool,
}

/// What a fork becomes.
#[derive(Debug)]
pub(crate) enum Body {
    Program {
        program: CString,
        arguments: Vec<CString>,
    },
    /// It stays this binary, and is given a slate and perhaps a rope.
    Function {
        entry: fresh::Entry,
        name: CString,
    },
}

/// The three standard descriptors of a service.
#[derive(Debug)]
pub(crate) struct Stdio {
    pub(crate) input: OwnedFd,
    pub(crate) output: OwnedFd,
    pub(crate) error: OwnedFd,
}

/// What a service was about to do when it could not become its program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Prepare,
    Fork,
    User,
    Cwd,
    Exec,
    /// Process ids of its own.
    OwnPids,
    /// The same, and a user namespace that gives the right to them.
    OwnUsers,
    /// To be the same user in its own user namespace.
    UserMap,
    /// A `/proc` of its own.
    OwnProc,
    /// The network of the test.
    Network,
    /// To get what a function is given.
    Slate,
    /// To find a function in this binary.
    Entry,
}

impl Step {
    pub(crate) fn from_number(number: u8) -> Step {
        let isolating = [Step::OwnPids, Step::OwnUsers, Step::UserMap, Step::OwnProc, Step::Network];
        let functions = [Step::Slate, Step::Entry];
        [Step::Prepare, Step::Fork, Step::User, Step::Cwd, Step::Exec]
            .into_iter()
            .chain(isolating)
            .chain(functions)
            .find(|step| *step as u8 == number)
            .unwrap_or(Step::Prepare)
    }
}

/// Starts a program or a function as a child. Returns when it runs, or is about to, or why and at which step it does not.
///
/// # Errors
///
/// The step that failed, and its error.
pub(crate) fn spawn(image: &Image, stdio: &Stdio) -> Result<i32, (Step, io::Error)> {
    let parent = own_pid();
    let spawned = match &image.body {
        Body::Program { program, arguments } => platform::spawn(&mut || {
            let Err(failed) = become_program(image, program, arguments, stdio, parent);
            failure(failed)
        }),
        Body::Function { entry, name } => function::spawn(image, *entry, name, stdio, parent),
    };
    match spawned.map_err(|error| (Step::Fork, error))? {
        (pid, None) => {
            strays::has_leader(pid);
            Ok(pid)
        }
        (pid, Some([step, errno])) => {
            // It has nothing more to say.
            wait_for(pid);
            Err((Step::from_number(step as u8), io::Error::from_raw_os_error(errno)))
        }
    }
}

fn failure((step, error): (Step, io::Error)) -> platform::Failure {
    [step as i32, error.raw_os_error().unwrap_or(libc::EIO)]
}

fn become_program(
    image: &Image,
    program: &CString,
    arguments: &[CString],
    stdio: &Stdio,
    parent: i32,
) -> Result<Infallible, (Step, io::Error)> {
    settle(image, stdio, parent, || {
        platform::cloexec_from(FIRST_GIVEN);
        fd::number_from(FIRST_GIVEN, &image.given)
    })?;
    let failed = unistd::execve(program, arguments, &image.environment).unwrap_err();
    Err((Step::Exec, failed.into()))
}

/// The number of the first descriptor beside the standard ones.
const FIRST_GIVEN: RawFd = 3;

/// What a child is before it is a program or a function.
fn settle(
    image: &Image,
    stdio: &Stdio,
    parent: i32,
    descriptors: impl FnOnce() -> io::Result<()>,
) -> Result<(), (Step, io::Error)> {
    if strays::is_needed() {
        // It stays in our session, by which its orphans are found.
        let _ = unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0));
    } else {
        leave_session();
    }
    for (number, end) in [&stdio.input, &stdio.output, &stdio.error].into_iter().enumerate() {
        fd::duplicate_to(end.as_fd(), number as i32).map_err(|error| (Step::Prepare, error))?;
    }
    descriptors().map_err(|error| (Step::Prepare, error))?;
    if let Some(limit) = image.file_limit {
        // A limit that was in force a moment ago can be set again.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, limit.soft, limit.hard);
    }
    if image.has_own_mounts {
        // Before the change of user, with which the right to them goes.
        namespace::leave_mounts().map_err(|error| (Step::OwnProc, error))?;
    }
    image.user.as_ref().map_or(Ok(()), change_user).map_err(|error| (Step::User, error))?;
    unistd::chdir(image.cwd.as_c_str()).map_err(|error| (Step::Cwd, error.into()))?;
    // After the change of user, which clears the death signal; and the parent may have died before it was set.
    platform::die_with_parent().map_err(|error| (Step::Prepare, error))?;
    if parent_pid() != parent {
        exit_now(127);
    }
    wait::reset_signals();
    Ok(())
}

#[cfg(not(target_vendor = "apple"))]
fn change_user(user: &User) -> io::Result<()> {
    let groups: Vec<unistd::Gid> = user.groups.iter().copied().map(unistd::Gid::from_raw).collect();
    unistd::setgroups(&groups)?;
    unistd::setgid(unistd::Gid::from_raw(user.gid))?;
    Ok(unistd::setuid(unistd::Uid::from_raw(user.uid))?)
}

#[cfg(target_vendor = "apple")]
fn change_user(user: &User) -> io::Result<()> {
    unistd::setgid(unistd::Gid::from_raw(user.gid))?;
    Ok(unistd::setuid(unistd::Uid::from_raw(user.uid))?)
}

/// A path as the kernel takes it.
pub(crate) fn c_path(path: &Path) -> io::Result<CString> {
    Ok(CString::new(path.as_os_str().as_bytes())?)
}

/// Kills those at once that a signal to one after the other might miss, where that is not seen to by the kernel.
pub(crate) fn kill_hoppers() {
    strays::kill_group();
    platform::kill_descendants();
    if !procfs::knows_children() {
        kill_newest();
    }
}

/// Where the kernel lists no children all processes are looked at, and what hops is elsewhere by the end of that. But it is
/// always one of the newest: they are looked at first, and killed as they are found.
fn kill_newest() {
    let mut newest: Vec<i32> = procfs::processes().collect();
    newest.sort_unstable_by_key(|pid| std::cmp::Reverse(*pid));
    let own = own_pid();
    let children = newest.into_iter().take(NEWEST).filter(|pid| procfs::parent(*pid) == Some(own));
    children.for_each(kill_child);
}

/// Kills a process of our own making by its unreaped id, whatever state it is in.
pub(crate) fn kill_child(child: i32) {
    // A child that is gone already needs no killing.
    let _ = signal(child, libc::SIGKILL);
}
