//! Linux: credentials with each message, and a filter that lets none in.

use std::io;
use std::mem::size_of;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;

use nix::libc;
use nix::sys::socket::{setsockopt, sockopt};

use super::Letter;

/// Room for the credentials, and for nothing else: 32 bytes, in words so that it is aligned.
type Control = [u64; 4];

pub(super) fn ask_for_senders(socket: &UnixDatagram) -> io::Result<()> {
    Ok(setsockopt(socket, sockopt::PassCred, &true)?)
}

pub(super) fn receive(socket: &UnixDatagram, buffer: &mut [u8]) -> io::Result<Letter> {
    let mut control: Control = [0; 4];
    let mut part = libc::iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() };
    // SAFETY: a zeroed msghdr is a valid empty one.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    header.msg_controllen = size_of::<Control>() as _;
    // SAFETY: the header points at live memory of the lengths it names.
    let got = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut header, libc::MSG_CMSG_CLOEXEC) };
    if got == -1 {
        return Err(io::Error::last_os_error());
    }
    let is_cut = header.msg_flags & libc::MSG_TRUNC != 0;
    Ok(Letter { length: got.unsigned_abs(), is_cut, sender: sender(&header) })
}

/// The kernel puts them first, and checks them where a process gives its own.
fn sender(header: &libc::msghdr) -> Option<i32> {
    // SAFETY: the kernel filled the header; the first control message, if there is one, lies in the buffer and is as long
    // as it says.
    unsafe {
        let message = libc::CMSG_FIRSTHDR(header);
        if message.is_null() || (*message).cmsg_level != libc::SOL_SOCKET {
            return None;
        }
        let is_whole = (*message).cmsg_len as usize >= libc::CMSG_LEN(size_of::<libc::ucred>() as u32) as usize;
        let has_it = (*message).cmsg_type == libc::SCM_CREDENTIALS && is_whole;
        has_it.then(|| libc::CMSG_DATA(message).cast::<libc::ucred>().read_unaligned().pid)
    }
}

/// A filter of one instruction, "keep nothing of it". The kernel drops the message, closes what came along, and tells the
/// sender that all is well.
pub(super) fn throw_away(socket: &UnixDatagram) -> io::Result<()> {
    let code = (libc::BPF_RET | libc::BPF_K) as u16;
    let mut instruction = libc::sock_filter { code, jt: 0, jf: 0, k: 0 };
    let program = libc::sock_fprog { len: 1, filter: &raw mut instruction };
    // SAFETY: the kernel copies the program, which lives through the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_FILTER,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as libc::socklen_t,
        )
    };
    if result == -1 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
