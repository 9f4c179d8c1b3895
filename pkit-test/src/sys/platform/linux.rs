//! Linux: subreapers, death signals, pidfds, splice.

use std::ffi::CStr;
use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::libc;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use nix::sys::time::TimeSpec;

use super::Failure;
use super::portable::{
    PolledCrowd, close_one_by_one, milliseconds_until, poll_with_signal_pipe, prepare_signal_pipe, spawn_by_fork,
};
pub(crate) use super::portable::{fail, forget_signal_pipe, note_signal, spawn_copy};
use crate::sys::wait::For;
use crate::sys::without::{Means, lacks};

/// Whether the tests of this crate have been run here.
pub(crate) const IS_TRIED: bool = true;

/// Whether a process can give itself a name that others see.
pub(crate) const GIVES_NAMES: bool = true;

/// Where a process finds its own executable, also when that was deleted.
const OWN_EXECUTABLE: &str = "/proc/self/exe";

/// Where a process finds what it has open.
const OWN_DESCRIPTORS: &str = "/proc/self/fd/";

/// What to execute to become the program that this descriptor is open at, also when that was deleted.
pub(crate) fn executable_of(program: BorrowedFd<'_>) -> PathBuf {
    executable_behind(program.as_raw_fd())
}

/// What to execute to become this program again.
pub(crate) fn own_executable() -> io::Result<PathBuf> {
    if lacks(Means::Execfn) { std::env::current_exe() } else { Ok(OWN_EXECUTABLE.into()) }
}

/// The same for a program whose environment is not ours to choose, which cannot be told what the system lacks.
#[expect(clippy::unnecessary_wraps, reason = "it can fail where it has to be found out")]
pub(crate) fn own_executable_as_itself() -> io::Result<PathBuf> {
    Ok(OWN_EXECUTABLE.into())
}

/// The arguments of this process, each with a zero behind it.
pub(crate) fn own_command_line() -> Vec<u8> {
    std::fs::read("/proc/self/cmdline").unwrap_or_default()
}

/// The same by the number that the descriptor will have over there.
pub(crate) fn executable_behind(number: RawFd) -> PathBuf {
    format!("{OWN_DESCRIPTORS}{number}").into()
}

/// Whether this process was started as [`own_executable`], or by a descriptor as [`executable_of`] says, which nobody but us
/// does with a test binary.
///
/// The auxiliary vector is read because it costs nothing: the check runs at every start of every test binary.
pub(crate) fn is_started_as_itself() -> bool {
    // SAFETY: getauxval has no preconditions; AT_EXECFN, where present, points at a string that lives as long as the
    // process does.
    let name = unsafe {
        let address = libc::getauxval(libc::AT_EXECFN);
        if address == 0 {
            return false;
        }
        CStr::from_ptr(address as *const libc::c_char)
    };
    let name = name.to_bytes();
    name == OWN_EXECUTABLE.as_bytes() || name.starts_with(OWN_DESCRIPTORS.as_bytes())
}

/// A descriptor that becomes readable when the calling process is dead.
pub(crate) fn pidfd_of_self() -> io::Result<OwnedFd> {
    pidfd_open(std::process::id() as i32)
}

/// A descriptor that becomes readable when this process is dead.
pub(crate) fn end_of(pid: i32) -> io::Result<OwnedFd> {
    pidfd_open(pid)
}

/// A descriptor for a process, which can never mean another one.
pub(crate) fn pidfd_open(pid: i32) -> io::Result<OwnedFd> {
    if lacks(Means::Pidfd) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: pidfd_open takes two integers and returns a new descriptor or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    // SAFETY: the descriptor was just made, so nobody else owns it.
    check(fd).map(|fd| unsafe { OwnedFd::from_raw_fd(fd as RawFd) })
}

/// A descriptor that becomes readable when this process, our parent, is dead; or nothing, where the calling process
/// gets a SIGCONT each time when its parent may have died: then [`parent_pid`](crate::sys::child::parent_pid) tells.
///
/// The kernel signals at the end of the thread that started us, and others of the parent may go on.
pub(crate) fn watch_parent(_parent: i32) -> io::Result<Option<OwnedFd>> {
    // SAFETY: prctl with integer arguments only.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGCONT, 0, 0, 0) };
    check(result.into()).map(|_| None)
}

/// Sends a signal to the process behind a pidfd.
pub(crate) fn pidfd_signal(process: &OwnedFd, signal: i32) -> io::Result<()> {
    // SAFETY: the descriptor is valid for the call; a null siginfo asks for the default one.
    let result = unsafe {
        libc::syscall(libc::SYS_pidfd_send_signal, process.as_raw_fd(), signal, std::ptr::null::<libc::siginfo_t>(), 0)
    };
    check(result).map(drop)
}

/// Orphans among the descendants become children of the calling process.
pub(crate) fn become_subreaper() -> io::Result<()> {
    if lacks(Means::Subreaper) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    // SAFETY: prctl with integer arguments only.
    let result = unsafe { libc::prctl(libc::PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) };
    check(result.into()).map(drop)
}

/// A subreaper kills its children one by one, and has them all in the end.
pub(crate) fn kill_descendants() {}

/// The calling process is killed when its parent dies.
///
/// "Parent" is the thread that forked: the caller's parent must be single-threaded.
pub(crate) fn die_with_parent() -> io::Result<()> {
    // SAFETY: prctl with integer arguments only.
    let result = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL, 0, 0, 0) };
    check(result.into()).map(drop)
}

/// The calling process is woken when its parent dies, should somebody have stopped it.
pub(crate) fn wake_with_parent() {
    // SAFETY: prctl with integer arguments only. Without it a stopped process only sleeps on.
    let _ = unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGCONT, 0, 0, 0) };
}

/// Lets a child go on that is traced by us without our asking, with the signal that stopped it.
pub(crate) fn let_traced_go_on(pid: i32, signal: i32) {
    let data = signal as usize as *mut libc::c_void;
    // SAFETY: a request without memory of ours; a child that is not traced or gone is an ignored ESRCH.
    let _ = unsafe { libc::ptrace(libc::PTRACE_CONT, pid, std::ptr::null_mut::<libc::c_void>(), data) };
}

/// Whether there is a `/proc`.
pub(crate) fn has_proc() -> bool {
    std::fs::symlink_metadata("/proc/self").is_ok()
}

/// Whether `/proc` shows the processes that we see: in a new pid namespace with an old `/proc` the ids are others'.
pub(crate) fn has_own_proc() -> bool {
    let seen = std::fs::read_link("/proc/self").ok();
    seen.and_then(|link| link.to_str()?.parse().ok()) == Some(std::process::id())
}

/// Lets those who may look at other processes look at the calling one, as after an exec: the kernel forbids it to a process
/// that has changed its user.
pub(crate) fn let_be_looked_at() {
    // SAFETY: prctl with integer arguments only. Where it is refused fewer can see what it has open.
    let _ = unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 1, 0, 0, 0) };
}

/// The name that `ps` and `top` show for the calling process.
pub(crate) fn set_process_name(name: &CStr) {
    // SAFETY: the kernel copies at most 16 bytes of a valid C string. The name is for people: failure is harmless.
    let _ = unsafe { libc::prctl(libc::PR_SET_NAME, name.as_ptr(), 0, 0, 0) };
}

/// Closes every descriptor from `first` on.
pub(crate) fn close_from(first: RawFd) {
    close_range(first, RawFd::MAX, 0);
}

/// Closes every descriptor from `first` to `last`, if there is any.
pub(crate) fn close_between(first: RawFd, last: RawFd) {
    if first <= last {
        close_range(first, last, 0);
    }
}

/// Marks every descriptor from `first` on as closed at the next exec.
pub(crate) fn cloexec_from(first: RawFd) {
    close_range(first, RawFd::MAX, libc::CLOSE_RANGE_CLOEXEC);
}

fn close_range(first: RawFd, last: RawFd, flags: libc::c_uint) {
    let marks_only = flags != 0;
    if lacks(Means::CloseRange) {
        return close_one_by_one(first, last, marks_only);
    }
    // SAFETY: closes or marks descriptors by number; the callers own the whole process at this point: they are a
    // fresh exec or a fresh fork, and no Rust value that owns one of these descriptors is used afterwards.
    let result = unsafe { libc::syscall(libc::SYS_close_range, first, last, flags) };
    if result == -1 {
        // A kernel before 5.9 (5.11 for the flag), or a filter.
        close_one_by_one(first, last, marks_only);
    }
}

/// A pipe, both ends closed at exec: the end for reading, the end for writing.
pub(crate) fn pipe() -> io::Result<(OwnedFd, OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}

/// Runs `child` in a new process, and waits until that executes a program or leaves a failure. The caller must have one
/// thread only.
pub(crate) fn spawn(child: &mut dyn FnMut() -> Failure) -> io::Result<(i32, Option<Failure>)> {
    if lacks(Means::Vfork) {
        return spawn_by_fork(child);
    }
    let mut failure = None;
    spawn_sharing_memory(&mut || failure = Some(child())).map(|pid| (pid, failure))
}

/// The same in a process that shares our memory.
///
/// Nothing is copied, so it costs the same whatever our size; and what the child leaves in memory can be read here.
/// `posix_spawn` works like this, but can neither change the user nor set a death signal. With one thread in the caller
/// nobody else can be in the middle of anything while the child runs on the same heap.
fn spawn_sharing_memory(child: &mut dyn FnMut()) -> io::Result<i32> {
    extern "C" fn enter(child: *mut libc::c_void) -> libc::c_int {
        // SAFETY: the pointer is the one given to `clone` below, whose caller is suspended until we are gone.
        let child = unsafe { &mut *child.cast::<&mut dyn FnMut()>() };
        child();
        FAILED
    }
    let mut child = child;
    let mut stack: Vec<u128> = Vec::with_capacity(STACK_BYTES / size_of::<u128>());
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
    // SAFETY: the stack is aligned, grows down from its end and lives until the call returns, which with CLONE_VFORK
    // is after the child has left it; so does the closure.
    let pid = unsafe {
        let top = stack.as_mut_ptr().add(stack.capacity()).cast();
        libc::clone(enter, top, flags, (&raw mut child).cast())
    };
    check(pid.into()).map(|_| pid)
}

/// What the child of [`spawn_sharing_memory`] ends with if it executes nothing.
const FAILED: libc::c_int = 127;

/// Far more than a few system calls and the arrays for an exec need.
const STACK_BYTES: usize = 64 * 1024;

/// Moves at most `max` bytes from a pipe into a file at `offset`, without copying them through this process.
pub(crate) fn splice(from: BorrowedFd<'_>, to: BorrowedFd<'_>, offset: u64, max: usize) -> io::Result<usize> {
    if lacks(Means::Splice) {
        return Err(io::ErrorKind::Unsupported.into());
    }
    let mut offset = offset as libc::off64_t;
    // SAFETY: both descriptors are valid for the call; the offset lives on our stack; the input is a pipe and has no
    // offset of its own.
    let moved = unsafe {
        libc::splice(
            from.as_raw_fd(),
            std::ptr::null_mut(),
            to.as_raw_fd(),
            &raw mut offset,
            max,
            libc::SPLICE_F_MOVE | libc::SPLICE_F_NONBLOCK,
        )
    };
    if moved == -1 { Err(io::Error::last_os_error()) } else { Ok(moved.unsigned_abs()) }
}

/// Nobody waits longer, and the seconds of every system can count it.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// Makes what [`poll_with_signals`] needs in this process.
pub(crate) fn prepare_wait() -> io::Result<()> {
    if lacks(Means::Ppoll) { prepare_signal_pipe() } else { Ok(()) }
}

/// Waits until a descriptor has something or a signal arrives, with SIGCHLD and SIGTERM open during the wait only.
pub(crate) fn poll_with_signals(fds: &mut [libc::pollfd], timeout: Option<Duration>) -> io::Result<usize> {
    if lacks(Means::Ppoll) {
        return poll_with_signal_pipe(fds, timeout);
    }
    let time = timeout.map(|left| TimeSpec::from_duration(left.min(LONGEST)));
    let time_pointer = time.as_ref().map_or(std::ptr::null(), |time| std::ptr::from_ref(time.as_ref()));
    // SAFETY: the array, the time and the mask live through the call; sigemptyset fills the mask before its use.
    let ready = unsafe {
        let mut open = std::mem::zeroed();
        libc::sigemptyset(&raw mut open);
        libc::ppoll(fds.as_mut_ptr(), fds.len() as libc::nfds_t, time_pointer, &raw const open)
    };
    check(ready.into()).map(|count| usize::try_from(count).unwrap_or(0))
}

fn check(result: libc::c_long) -> io::Result<libc::c_long> {
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Many descriptors that are waited for as one: a wait does not get longer with their number.
#[derive(Debug)]
pub(crate) enum Crowd {
    Epoll(Epoll),
    Polled(PolledCrowd),
}

/// How many of a crowd are told of at a time; the others are told of next.
const CROWD_EVENTS: usize = 64;

impl Crowd {
    pub(crate) fn new() -> Crowd {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).ok().filter(|_| !lacks(Means::Epoll));
        epoll.map_or_else(|| Crowd::Polled(PolledCrowd::default()), Crowd::Epoll)
    }

    /// Waits for something to read at this one, too, which is known by its id.
    pub(crate) fn add(&self, member: impl AsFd, id: u32) -> io::Result<()> {
        match self {
            Crowd::Epoll(epoll) => Ok(epoll.add(member, EpollEvent::new(EpollFlags::EPOLLIN, id.into()))?),
            Crowd::Polled(crowd) => {
                crowd.add(member.as_fd().as_raw_fd(), id);
                Ok(())
            }
        }
    }

    /// Waits for something else at one of them from now on.
    pub(crate) fn wait_for(&self, member: impl AsFd, id: u32, what: For) -> io::Result<()> {
        let flags = match what {
            For::Reading => EpollFlags::EPOLLIN,
            For::Writing => EpollFlags::EPOLLOUT,
            For::Both => EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT,
        };
        match self {
            Crowd::Epoll(epoll) => Ok(epoll.modify(member, &mut EpollEvent::new(flags, id.into()))?),
            Crowd::Polled(crowd) => {
                crowd.wait_for(id, what);
                Ok(())
            }
        }
    }

    /// Waits for nothing else than these, and tells of those that are worth a look; of none after a signal or at the deadline.
    pub(crate) fn wait(&self, deadline: Option<Instant>, ready: &mut Vec<u32>) -> io::Result<()> {
        ready.clear();
        let epoll = match self {
            Crowd::Polled(crowd) => return crowd.wait(deadline, ready),
            Crowd::Epoll(epoll) => epoll,
        };
        let mut events = [EpollEvent::empty(); CROWD_EVENTS];
        let timeout = EpollTimeout::try_from(milliseconds_until(deadline)).unwrap_or(EpollTimeout::NONE);
        let count = match epoll.wait(&mut events, timeout) {
            Err(Errno::EINTR) => 0,
            count => count?,
        };
        ready.extend(events[..count].iter().filter_map(|event| u32::try_from(event.data()).ok()));
        Ok(())
    }

    /// Waits also for room to write, or no longer.
    pub(crate) fn wait_for_room(&self, member: impl AsFd, id: u32, is_wanted: bool) -> io::Result<()> {
        let room = if is_wanted { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
        match self {
            Crowd::Epoll(epoll) => {
                Ok(epoll.modify(member, &mut EpollEvent::new(EpollFlags::EPOLLIN | room, id.into()))?)
            }
            Crowd::Polled(crowd) => {
                crowd.wait_for_room(id, is_wanted);
                Ok(())
            }
        }
    }

    /// To be called before it is closed: a fork that still holds it would keep it in the crowd.
    pub(crate) fn remove(&self, member: impl AsFd) -> io::Result<()> {
        match self {
            Crowd::Epoll(epoll) => Ok(epoll.delete(member)?),
            Crowd::Polled(crowd) => {
                crowd.remove(member.as_fd().as_raw_fd());
                Ok(())
            }
        }
    }

    /// What to wait for.
    pub(crate) fn polled(&self) -> Vec<(BorrowedFd<'_>, For)> {
        match self {
            Crowd::Epoll(epoll) => vec![(epoll.0.as_fd(), For::Reading)],
            Crowd::Polled(crowd) => crowd.polled(),
        }
    }

    /// The ids of those that are worth a look now, the oldest first, after a wait for all that was to be waited for.
    pub(crate) fn ready(&self, seen: &[bool]) -> io::Result<Vec<u32>> {
        let epoll = match self {
            Crowd::Polled(crowd) => return Ok(crowd.ready(seen)),
            Crowd::Epoll(_) if seen != [true] => return Ok(Vec::new()),
            Crowd::Epoll(epoll) => epoll,
        };
        let mut events = [EpollEvent::empty(); CROWD_EVENTS];
        let count = epoll.wait(&mut events, EpollTimeout::ZERO)?;
        let mut ids: Vec<u32> = events[..count].iter().filter_map(|event| u32::try_from(event.data()).ok()).collect();
        ids.sort_unstable();
        Ok(ids)
    }
}
