//! Linux: a network of its own for a thread, and the way there and back.

use std::fs::{self, File};
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt as _;

use nix::libc;
use nix::sched::{CloneFlags, setns, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

use super::Refusal;
use super::users::refusal;

/// The thread's own: `/proc/self` is that of the first thread.
const OF_THREAD: &str = "/proc/thread-self/ns/net";

/// The network that the calling thread is in.
pub(crate) fn network_of_thread() -> io::Result<OwnedFd> {
    Ok(File::open(OF_THREAD)?.into())
}

/// A number for that network that no other has while it is there.
pub(crate) fn network_id_of_thread() -> io::Result<u64> {
    Ok(fs::metadata(OF_THREAD)?.ino())
}

/// Lets the calling thread be in that network, and the threads and processes that it makes from now on.
pub(crate) fn enter_network(network: impl AsFd) -> io::Result<()> {
    Ok(setns(network, CloneFlags::CLONE_NEWNET)?)
}

/// Lets the calling thread be in a network of its own, in which nothing is up but the loopback.
pub(crate) fn make_network() -> Result<(), Refusal> {
    unshare(CloneFlags::CLONE_NEWNET).map_err(refusal("unshare(CLONE_NEWNET)"))?;
    bring_loopback_up()?;
    // Port 80 of a network of one's own is nobody's privilege. Where it cannot be said a server may need the right to it,
    // and says so itself.
    let _ = fs::write("/proc/sys/net/ipv4/ip_unprivileged_port_start", "0");
    Ok(())
}

/// With it `::1` comes up as well, where there is IPv6. C libraries differ about the type of a request's number.
fn bring_loopback_up() -> Result<(), Refusal> {
    let flags = SockFlag::SOCK_CLOEXEC;
    let socket = socket(AddressFamily::Inet, SockType::Datagram, flags, None).map_err(refusal("socket"))?;
    // SAFETY: a zeroed request is a valid one; its name is a C string that is shorter than its field; the socket is open
    // and the request lives through both calls, the first of which writes the flags that the second one reads.
    let result = unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        request.ifr_name[0] = b'l' as libc::c_char;
        request.ifr_name[1] = b'o' as libc::c_char;
        match libc::ioctl(socket.as_raw_fd(), libc::SIOCGIFFLAGS as _, &raw mut request) {
            -1 => -1,
            _ => {
                request.ifr_ifru.ifru_flags |= libc::IFF_UP as libc::c_short;
                libc::ioctl(socket.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request)
            }
        }
    };
    if result == -1 { Err(Refusal { call: "ioctl(SIOCSIFFLAGS)", error: io::Error::last_os_error() }) } else { Ok(()) }
}
