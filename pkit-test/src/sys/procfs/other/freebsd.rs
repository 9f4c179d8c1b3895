//! FreeBSD: `kinfo_proc` by `sysctl(3)`, which needs no `/proc`.

use std::ffi::CStr;
use std::mem::size_of;

use nix::libc::{self, CTL_KERN, KERN_PROC};

use super::Status;
use super::sysctl::ask;

pub(super) fn processes() -> Vec<i32> {
    let bytes = ask(&[CTL_KERN, KERN_PROC, libc::KERN_PROC_PROC]).unwrap_or_default();
    bytes.chunks_exact(size_of::<libc::kinfo_proc>()).filter_map(read).map(|process| process.ki_pid).collect()
}

pub(super) fn status(pid: i32) -> Option<Status> {
    let process = read(&ask(&[CTL_KERN, KERN_PROC, libc::KERN_PROC_PID, pid])?)?;
    // SAFETY: the kernel ends the name within its array.
    let name = unsafe { CStr::from_ptr(process.ki_comm.as_ptr()) };
    Some(Status {
        parent: process.ki_ppid,
        is_alive: process.ki_stat != libc::SZOMB,
        birth: process.ki_start.tv_sec.unsigned_abs() * 1_000_000 + process.ki_start.tv_usec.unsigned_abs(),
        name: name.to_string_lossy().into_owned(),
    })
}

pub(super) fn arguments(pid: i32) -> Option<Vec<u8>> {
    ask(&[CTL_KERN, KERN_PROC, libc::KERN_PROC_ARGS, pid])
}

pub(super) fn environment(pid: i32) -> Option<Vec<u8>> {
    ask(&[CTL_KERN, KERN_PROC, libc::KERN_PROC_ENV, pid])
}

fn read(bytes: &[u8]) -> Option<libc::kinfo_proc> {
    if bytes.len() < size_of::<libc::kinfo_proc>() {
        return None;
    }
    // SAFETY: there are enough bytes, and the structure has only numbers, arrays of them and raw pointers in it, for which
    // any bytes will do. Nobody follows the pointers.
    Some(unsafe { bytes.as_ptr().cast::<libc::kinfo_proc>().read_unaligned() })
}
