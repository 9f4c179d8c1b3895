//! How a process leaves whoever started it: double fork, own session, and a leader who knows when it is done.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process;

use nix::fcntl::OFlag;
use nix::libc;
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, getpid, pipe2, setsid};

use super::{fail, forked};

/// Held by a daemon that is not settled yet: its leader waits until the last copy is closed, by drop or by exec.
pub type Unsettled = OwnedFd;

/// Runs `live` in a grandchild with a session of its own, which ends with it, and returns the grandchild's pid once it
/// is settled.
///
/// The process between the two is gone by then.
pub fn detached(live: impl FnOnce(Unsettled)) -> Pid {
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).unwrap_or_else(|error| fail(format_args!("pipe: {error}")));
    match forked() {
        Some(between) => waitpid(between, None).expect("it is our child"),
        None => leave(writer, live),
    };
    drop(writer);
    settled(reader)
}

/// Closes every descriptor there is, standard streams included.
pub fn close_all() {
    // SAFETY: nothing that owns a descriptor is used or dropped afterwards: the callers pause for ever. Not every C library
    // has a function for it.
    let outcome = unsafe { libc::syscall(libc::SYS_close_range, 0, libc::c_uint::MAX, 0) };
    if outcome != 0 {
        // An old kernel or a filter does not know the call; no child has more than a few.
        for fd in 0..64 {
            // SAFETY: as above; one that is not open is an ignored EBADF.
            unsafe { libc::close(fd) };
        }
    }
}

fn leave(writer: OwnedFd, live: impl FnOnce(Unsettled)) -> ! {
    setsid().expect("a forked child leads no group");
    if forked().is_none() {
        live(introduced(writer));
    }
    process::exit(0)
}

fn introduced(writer: OwnedFd) -> Unsettled {
    let mut file = File::from(writer);
    file.write_all(getpid().to_string().as_bytes()).expect("the leader reads");
    file.into()
}

fn settled(reader: OwnedFd) -> Pid {
    let mut pid = String::new();
    File::from(reader).read_to_string(&mut pid).expect("a pipe can be read");
    Pid::from_raw(pid.parse().unwrap_or_else(|_| fail("the daemon did not come up")))
}
