//! Linux: a `memfd_create(2)`, and where that is refused what others have.

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};

use super::portable;

/// Nobody is to execute it; a kernel before 6.3 does not know that one can say so.
const NO_EXECUTION: u32 = 0x8;

pub(super) fn file_without_name() -> io::Result<OwnedFd> {
    let flags = MFdFlags::MFD_CLOEXEC;
    let strict = MFdFlags::from_bits_retain(flags.bits() | NO_EXECUTION);
    let created = memfd_create(c"pkit-slate", strict).or_else(|_| memfd_create(c"pkit-slate", flags));
    created.or_else(|_| portable::file_without_name())
}
