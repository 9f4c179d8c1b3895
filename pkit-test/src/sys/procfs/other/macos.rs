//! macOS: `libproc`, and `KERN_PROCARGS2` for what a process was given.

use std::ffi::CStr;
use std::mem::size_of;

use nix::libc;

use super::Status;
use super::sysctl::ask;

/// Room for those that begin between the two questions.
const MORE: usize = 64;

pub(super) fn processes() -> Vec<i32> {
    // SAFETY: without a buffer only the number is told.
    let count = unsafe { libc::proc_listallpids(std::ptr::null_mut(), 0) };
    let mut pids = vec![0_i32; usize::try_from(count).unwrap_or(0) + MORE];
    let bytes = libc::c_int::try_from(pids.len() * size_of::<i32>()).unwrap_or(libc::c_int::MAX);
    // SAFETY: the buffer has as many bytes as are said.
    let count = unsafe { libc::proc_listallpids(pids.as_mut_ptr().cast(), bytes) };
    pids.truncate(usize::try_from(count).unwrap_or(0));
    pids
}

pub(super) fn status(pid: i32) -> Option<Status> {
    let info = info(pid)?;
    // SAFETY: the kernel ends the name within its array.
    let name = unsafe { CStr::from_ptr(info.pbi_comm.as_ptr()) };
    Some(Status {
        parent: i32::try_from(info.pbi_ppid).ok()?,
        is_alive: info.pbi_status != libc::SZOMB,
        birth: info.pbi_start_tvsec * 1_000_000 + info.pbi_start_tvusec,
        name: name.to_string_lossy().into_owned(),
    })
}

pub(super) fn arguments(pid: i32) -> Option<Vec<u8>> {
    given(pid).map(|(arguments, _)| arguments)
}

pub(super) fn environment(pid: i32) -> Option<Vec<u8>> {
    given(pid).map(|(_, environment)| environment)
}

fn info(pid: i32) -> Option<libc::proc_bsdinfo> {
    // SAFETY: a zeroed structure of numbers is a valid one; the call fills at most its size.
    unsafe {
        let mut info: libc::proc_bsdinfo = std::mem::zeroed();
        let bytes = size_of::<libc::proc_bsdinfo>() as libc::c_int;
        let filled = libc::proc_pidinfo(pid, libc::PROC_PIDTBSDINFO, 0, (&raw mut info).cast(), bytes);
        (filled == bytes).then_some(info)
    }
}

/// Arguments and environment: a count, the path of the program, zeros, the arguments, the variables.
fn given(pid: i32) -> Option<(Vec<u8>, Vec<u8>)> {
    let bytes = ask(&[libc::CTL_KERN, libc::KERN_PROCARGS2, pid])?;
    let (count, rest) = bytes.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_ne_bytes(*count)).ok()?;
    let path_end = rest.iter().position(|byte| *byte == 0)?;
    let rest = &rest[path_end..];
    let rest = &rest[rest.iter().position(|byte| *byte != 0)?..];
    let ends: Vec<usize> = rest.iter().enumerate().filter(|(_, byte)| **byte == 0).map(|(at, _)| at + 1).collect();
    let split = if count == 0 { 0 } else { *ends.get(count - 1)? };
    Some((rest[..split].to_vec(), rest[split..].to_vec()))
}
