//! Descriptors: sockets that carry descriptors, blocking or not, and the three standard ones.

use std::io;
use std::mem::size_of;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;

use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
use nix::libc;

/// How many descriptors one message can carry; ours carry one.
const MAX_FDS: usize = 4;

/// Room for the control message, in words so that it is aligned.
type Control = [u64; 8];

/// Sends bytes and, with the first of them, a descriptor. Returns how many bytes were taken.
pub(crate) fn send_with_fd(socket: &UnixStream, bytes: &[u8], fd: BorrowedFd<'_>) -> io::Result<usize> {
    let mut control: Control = [0; 8];
    let mut part = libc::iovec { iov_base: bytes.as_ptr().cast_mut().cast(), iov_len: bytes.len() };
    let header = header(&mut part, &mut control);
    // SAFETY: the header points at live memory; the control buffer has room for one descriptor (CMSG_SPACE of four
    // bytes is 24), and CMSG_FIRSTHDR of such a buffer is not null.
    let sent = unsafe {
        let message = libc::CMSG_FIRSTHDR(&raw const header);
        (*message).cmsg_level = libc::SOL_SOCKET;
        (*message).cmsg_type = libc::SCM_RIGHTS;
        (*message).cmsg_len = libc::CMSG_LEN(size_of::<RawFd>() as u32) as _;
        libc::CMSG_DATA(message).cast::<RawFd>().write_unaligned(fd.as_raw_fd());
        let mut header = header;
        header.msg_controllen = libc::CMSG_SPACE(size_of::<RawFd>() as u32) as _;
        libc::sendmsg(socket.as_raw_fd(), &raw const header, NO_SIGNAL)
    };
    if sent == -1 { Err(io::Error::last_os_error()) } else { Ok(sent.unsigned_abs()) }
}

/// Sends bytes without ever raising SIGPIPE. Returns how many were taken.
pub(crate) fn send(socket: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the buffer is valid for the call.
    let sent = unsafe { libc::send(socket.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), NO_SIGNAL) };
    if sent == -1 { Err(io::Error::last_os_error()) } else { Ok(sent.unsigned_abs()) }
}

/// Receives bytes and the descriptors that came with them, closed at exec.
pub(crate) fn receive(socket: &UnixStream, buffer: &mut [u8], fds: &mut Vec<OwnedFd>) -> io::Result<usize> {
    let mut control: Control = [0; 8];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    let mut header = header(&mut part, &mut control);
    // SAFETY: the header points at live memory of the lengths it names.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, CLOEXEC) };
    if got == -1 {
        return Err(io::Error::last_os_error());
    }
    take_fds(&header, fds);
    Ok(got.unsigned_abs())
}

/// Receives bytes and none of the descriptors that came with them, as a process that may not have more of them does.
#[cfg(test)]
pub(crate) fn receive_without_room(socket: &UnixStream, bytes: &mut Vec<u8>) -> io::Result<usize> {
    use std::io::Read;
    let mut buffer = [0; 64];
    let count = { socket }.read(&mut buffer)?;
    bytes.extend_from_slice(&buffer[..count]);
    Ok(count)
}

#[cfg(target_os = "macos")]
const NO_SIGNAL: libc::c_int = 0;
#[cfg(not(target_os = "macos"))]
const NO_SIGNAL: libc::c_int = libc::MSG_NOSIGNAL;

#[cfg(target_os = "macos")]
const CLOEXEC: libc::c_int = 0;
#[cfg(not(target_os = "macos"))]
const CLOEXEC: libc::c_int = libc::MSG_CMSG_CLOEXEC;

fn header(part: &mut libc::iovec, control: &mut Control) -> libc::msghdr {
    // SAFETY: a zeroed msghdr is a valid empty one.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>() as _;
    header
}

fn take_fds(header: &libc::msghdr, fds: &mut Vec<OwnedFd>) {
    // SAFETY: the kernel filled the header; the CMSG functions walk what it wrote, and every descriptor in it is new
    // and ours.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while !message.is_null() {
            if (*message).cmsg_level == libc::SOL_SOCKET && (*message).cmsg_type == libc::SCM_RIGHTS {
                let bytes = (*message).cmsg_len as usize - libc::CMSG_LEN(0) as usize;
                let data = libc::CMSG_DATA(message).cast::<RawFd>();
                for index in 0..(bytes / size_of::<RawFd>()).min(MAX_FDS) {
                    fds.push(OwnedFd::from_raw_fd(data.add(index).read_unaligned()));
                }
            }
            message = libc::CMSG_NXTHDR(header, message);
        }
    }
}

/// What reads nothing and forgets what is written.
pub(crate) fn null() -> io::Result<OwnedFd> {
    Ok(std::fs::OpenOptions::new().read(true).write(true).open("/dev/null")?.into())
}

/// Moves the three standard descriptors out of the way and puts `/dev/null` in their place.
pub(crate) fn take_standard_fds() -> io::Result<[OwnedFd; 3]> {
    // A pipe of the runner that the test inherited would be held beyond the end of the test.
    super::platform::close_from(3);
    let taken = [take_fd(0)?, take_fd(1)?, take_fd(2)?];
    let null = null()?;
    for standard in 0..3 {
        duplicate_to(null.as_fd(), standard)?;
    }
    Ok(taken)
}

fn take_fd(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: the caller is a fresh guardian; its standard descriptors are open, since it was spawned with all three,
    // and nothing else in it uses them yet.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let moved = fcntl(borrowed, FcntlArg::F_DUPFD_CLOEXEC(10))?;
    // SAFETY: the duplicate was just made, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}

/// Makes `number` mean what `fd` means, open across exec.
pub(crate) fn duplicate_to(fd: BorrowedFd<'_>, number: RawFd) -> io::Result<()> {
    if fd.as_raw_fd() == number {
        fcntl(fd, FcntlArg::F_SETFD(FdFlag::empty()))?;
        return Ok(());
    }
    // SAFETY: dup2 replaces a descriptor by number; the callers only name the standard descriptors of a process that
    // is wholly ours.
    let result = unsafe { libc::dup2(fd.as_raw_fd(), number) };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads and writes return instead of waiting.
pub(crate) fn set_nonblocking(fd: BorrowedFd<'_>) -> io::Result<()> {
    let flags = OFlag::from_bits_truncate(fcntl(fd, FcntlArg::F_GETFL)?);
    fcntl(fd, FcntlArg::F_SETFL(flags | OFlag::O_NONBLOCK))?;
    Ok(())
}

/// Waits at most `limit` until the other end of the socket is closed.
pub(crate) fn is_closed_within(socket: &UnixStream, limit: std::time::Duration) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let timeout = PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX);
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::empty())];
    // Hang-up is reported whether or not it was asked for.
    matches!(poll(&mut polled, timeout), Ok(1))
}

/// Makes a pipe somebody's, so that they may open it again by its name below `/proc/self/fd`.
pub(crate) fn give(end: &OwnedFd, user: &super::user::User) -> io::Result<()> {
    use nix::unistd::{Gid, Uid, fchown};
    Ok(fchown(end, Some(Uid::from_raw(user.uid)), Some(Gid::from_raw(user.gid)))?)
}

/// Closes everything but the standard descriptors and this one, in a fork that is wholly ours.
pub(crate) fn keep_only(fd: OwnedFd) -> io::Result<OwnedFd> {
    let kept = 3;
    if fd.as_raw_fd() != kept {
        duplicate_to(fd.as_fd(), kept)?;
    }
    // Its old number is closed below, with everything else.
    std::mem::forget(fd);
    super::platform::close_from(kept + 1);
    // SAFETY: the descriptor was just made, and everything that could have owned its number was left behind.
    let kept = unsafe { OwnedFd::from_raw_fd(kept) };
    fcntl(&kept, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    Ok(kept)
}

/// Gives these the numbers from `first` on, open across exec, whatever was there; in a process that is wholly ours.
pub(crate) fn number_from(first: RawFd, fds: &[OwnedFd]) -> io::Result<()> {
    let beyond = first + RawFd::try_from(fds.len()).unwrap_or(RawFd::MAX);
    // Out of each other's way; these are closed with all others.
    let moved =
        fds.iter().map(|fd| fcntl(fd, FcntlArg::F_DUPFD_CLOEXEC(beyond))).collect::<nix::Result<Vec<RawFd>>>()?;
    for (number, moved) in (first..).zip(moved) {
        // SAFETY: it was just made, and lives until all others are closed as well.
        duplicate_to(unsafe { BorrowedFd::borrow_raw(moved) }, number)?;
    }
    Ok(())
}

/// Closes what is open from `first` on, but for these; in a process that is wholly ours.
pub(crate) fn close_all_but(first: RawFd, kept: &[RawFd]) {
    let mut kept: Vec<RawFd> = kept.iter().copied().filter(|fd| *fd >= first).collect();
    kept.sort_unstable();
    let mut next = first;
    for fd in kept {
        super::platform::close_between(next, fd - 1);
        next = fd + 1;
    }
    super::platform::close_from(next);
}

/// Takes a descriptor from somebody who is never heard of again, closed at exec.
///
/// # Safety
///
/// The value that it is taken from is neither used nor dropped from now on.
pub(crate) unsafe fn taken(fd: &OwnedFd) -> OwnedFd {
    // It is open, so that this cannot fail.
    let _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    // SAFETY: it is open, and the caller says that nobody else owns it any more.
    unsafe { OwnedFd::from_raw_fd(fd.as_raw_fd()) }
}

/// The descriptor of that number, closed at exec, for a process that was given it.
///
/// # Safety
///
/// Nobody else in this process may own it.
pub(crate) unsafe fn given(number: RawFd) -> io::Result<OwnedFd> {
    // SAFETY: it is only asked about, and used only where it is open.
    fcntl(unsafe { BorrowedFd::borrow_raw(number) }, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC))?;
    // SAFETY: it is open, and the caller says that nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Waits until there is something to read, or the end.
///
/// Not by a read that waits: the kernel wakes it each time the other end makes room, and for nothing.
pub(crate) fn wait_readable(socket: &UnixStream) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    let mut polled = [PollFd::new(socket.as_fd(), PollFlags::POLLIN)];
    // A signal that this thread does not take cannot interrupt it; any other error is for the read to find.
    matches!(poll(&mut polled, PollTimeout::NONE), Ok(1) | Err(nix::errno::Errno::EINTR))
}

/// Waits until there is something to read or the deadline has come; whether there is.
pub(crate) fn is_readable_until(fd: BorrowedFd<'_>, deadline: std::time::Instant) -> bool {
    use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
    loop {
        let left = deadline.saturating_duration_since(std::time::Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut polled = [PollFd::new(fd, PollFlags::POLLIN)];
        match poll(&mut polled, timeout) {
            Ok(0) if !left.is_zero() => {}
            Err(nix::errno::Errno::EINTR) => {}
            ready => return matches!(ready, Ok(1..)),
        }
    }
}

/// Waits for nothing but time: for what the system has no event for.
pub(crate) fn pause(limit: std::time::Duration) {
    use nix::poll::{PollTimeout, poll};
    // Whoever comes back early looks once more.
    let _ = poll(&mut [], PollTimeout::try_from(limit).unwrap_or(PollTimeout::MAX));
}

/// The same descriptor under a number that is none of the standard three: a test that has closed those and writes to
/// them all the same would write to us.
pub(crate) fn above_standard(fd: OwnedFd) -> io::Result<OwnedFd> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    let moved = fcntl(&fd, FcntlArg::F_DUPFD_CLOEXEC(10))?;
    // SAFETY: the duplicate was just made, so nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(moved) })
}
