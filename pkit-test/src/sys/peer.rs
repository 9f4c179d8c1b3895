//! Who is at the other end of a unix socket.
//!
//! It is whoever has connected, though a fork of it may hold that end as well and outlive it.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use super::{platform, socket, user};

/// A process at the other end.
#[derive(Debug)]
pub(crate) struct Peer {
    /// As it is called here; `None` where it cannot be seen from here.
    pub(crate) pid: Option<i32>,
    /// Becomes readable when it is dead.
    pub(crate) end: Option<OwnedFd>,
}

/// Who has connected. What the system does not say is not known.
pub(crate) fn peer(stream: &UnixStream) -> Peer {
    let pid = socket::peer(stream);
    let end = end_of_peer(stream).or_else(|| platform::end_of(pid?).ok());
    Peer { pid, end }
}

/// Whether it is a process of our own user: of a listener, the one that has begun to listen. What the system does not say is
/// nobody's.
pub(crate) fn is_own_user(stream: &UnixStream) -> bool {
    socket::peer_user(stream) == Some(user::own_uid())
}

/// By the socket itself, which cannot mean somebody else: a pid may have been given to the next one.
#[cfg(target_os = "linux")]
fn end_of_peer(stream: &UnixStream) -> Option<OwnedFd> {
    use std::os::fd::{AsRawFd as _, FromRawFd as _};

    use nix::libc;

    use super::without::{Means, lacks};

    if lacks(Means::Pidfd) {
        return None;
    }
    let mut fd: libc::c_int = -1;
    let mut size = size_of::<libc::c_int>() as libc::socklen_t;
    // SAFETY: both places live through the call, and the size is that of the first.
    let result = unsafe {
        let place = (&raw mut fd).cast();
        libc::getsockopt(stream.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERPIDFD, place, &raw mut size)
    };
    // SAFETY: the descriptor was just made, so nobody else owns it. The kernel closes it at exec.
    (result == 0 && fd >= 0).then(|| unsafe { OwnedFd::from_raw_fd(fd) })
}

#[cfg(not(target_os = "linux"))]
fn end_of_peer(_stream: &UnixStream) -> Option<OwnedFd> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;
    use crate::sys::fd::is_readable_until;

    #[test]
    fn a_peer_is_whoever_has_connected_and_lives() {
        use std::os::fd::AsFd as _;
        let (ours, _theirs) = UnixStream::pair().unwrap();
        let peer = peer(&ours);
        assert_eq!(peer.pid, Some(crate::sys::child::own_pid()));
        assert!(is_own_user(&ours));
        assert!(!is_readable_until(peer.end.unwrap().as_fd(), Instant::now()));
    }
}
