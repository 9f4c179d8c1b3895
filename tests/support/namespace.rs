//! A network of one's own, for what is said about the network as a whole.

use std::fmt::Display;
use std::fs;
use std::io;
use std::os::fd::AsRawFd as _;
use std::thread;

use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockFlag, SockType, socket};

/// Does something in a network namespace that is empty but for a loopback device, with these settings below
/// `/proc/sys/net/ipv4`. What is started meanwhile is in it as well; it is gone with the last of them.
///
/// # Errors
///
/// When this system does not let us: we are not root, or in a container.
///
/// # Panics
///
/// When `work` does, or when a setting is refused for what it says.
pub fn in_own_network<R: Send>(
    settings: &[(&str, impl Display + Sync)],
    work: impl FnOnce() -> R + Send,
) -> io::Result<R> {
    let own = || {
        // Of this thread alone, which ends here.
        unshare(CloneFlags::CLONE_NEWNET)?;
        bring_loopback_up()?;
        for (name, value) in settings {
            let written = fs::write(format!("/proc/sys/net/ipv4/{name}"), value.to_string());
            let is_wrong = |error: &io::Error| error.kind() == io::ErrorKind::InvalidInput;
            written.inspect_err(|error| assert!(!is_wrong(error), "{name} cannot be {value}"))?;
        }
        Ok(work())
    };
    // A name that a test is found by also stands above what it prints.
    let name = thread::current().name().unwrap_or("own network").to_owned();
    thread::scope(|threads| {
        let thread = thread::Builder::new().name(name).spawn_scoped(threads, own)?;
        thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

fn bring_loopback_up() -> io::Result<()> {
    let any = socket(AddressFamily::Inet, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    // SAFETY: all zeros are a valid value of this structure of integers and arrays.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    (request.ifr_name[0], request.ifr_name[1]) = (b'l' as libc::c_char, b'o' as libc::c_char);
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the request is a whole one that lives until the call returns, and the kernel only reads it.
    if unsafe { libc::ioctl(any.as_raw_fd(), libc::SIOCSIFFLAGS as _, &raw const request) } == -1 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
