//! System calls that are refused, as a container does it: a filter of classic BPF, kept by everything that descends.

use std::io;

use nix::libc::{self, BPF_ABS, BPF_JEQ, BPF_JMP, BPF_JSET, BPF_K, BPF_LD, BPF_RET, BPF_W, sock_filter};

/// Where `struct seccomp_data` has the number of the call and the lower half of the first argument.
const NUMBER_AT: u32 = 0;
const FIRST_ARGUMENT_AT: u32 = 16;

/// What Docker's default profile refuses without capabilities, of what a test or a supervisor may think of. Where it asks
/// for the version of the kernel (`ptrace`), the stricter answer.
const REFUSED: &[i64] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
];

/// What Docker before 20.10 did not know, and so refused.
const UNKNOWN_ONCE: &[i64] = &[
    libc::SYS_close_range,
    libc::SYS_epoll_pwait2,
    libc::SYS_faccessat2,
    libc::SYS_openat2,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
];

/// The namespaces that `clone` may not make: NS, CGROUP, UTS, IPC, USER, PID, NET.
const NEW_NAMESPACES: u32 = 0x7E02_0000;

/// Which Docker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Age {
    /// A current one.
    New,
    /// One before 20.10, which knows no pidfds.
    Old,
}

/// Refuses what Docker refuses by default, from now on and in all descendants.
///
/// # Errors
///
/// Where the kernel has no seccomp.
pub fn refuse_as_docker(age: Age) -> io::Result<()> {
    let mut program = vec![load(NUMBER_AT)];
    let unknown = if age == Age::Old { UNKNOWN_ONCE } else { &[] };
    program.extend(REFUSED.iter().chain(unknown).flat_map(|number| refuse(*number, libc::EPERM)));
    program.extend(refuse(libc::SYS_clone3, libc::ENOSYS));
    program.extend(refuse_clone_with(NEW_NAMESPACES));
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    install(&mut program)
}

/// Refuses these calls with this error, from now on and in all descendants.
///
/// # Errors
///
/// Where the kernel has no seccomp.
pub fn refuse_all(numbers: &[i64], errno: i32) -> io::Result<()> {
    let mut program = vec![load(NUMBER_AT)];
    program.extend(numbers.iter().flat_map(|number| refuse(*number, errno)));
    program.push(answer(libc::SECCOMP_RET_ALLOW));
    install(&mut program)
}

fn refuse(number: i64, errno: i32) -> [sock_filter; 2] {
    [unless_equal_skip(number, 1), answer(error(errno))]
}

fn refuse_clone_with(flags: u32) -> [sock_filter; 4] {
    let unless_any_skip_one = sock_filter { code: (BPF_JMP | BPF_JSET | BPF_K) as u16, jt: 0, jf: 1, k: flags };
    // The argument replaces the number, which nobody asks for any more.
    [unless_equal_skip(libc::SYS_clone, 3), load(FIRST_ARGUMENT_AT), unless_any_skip_one, answer(error(libc::EPERM))]
}

fn load(at: u32) -> sock_filter {
    sock_filter { code: (BPF_LD | BPF_W | BPF_ABS) as u16, jt: 0, jf: 0, k: at }
}

fn unless_equal_skip(number: i64, count: u8) -> sock_filter {
    let number = u32::try_from(number).expect("calls have small numbers");
    sock_filter { code: (BPF_JMP | BPF_JEQ | BPF_K) as u16, jt: 0, jf: count, k: number }
}

fn answer(verdict: u32) -> sock_filter {
    sock_filter { code: (BPF_RET | BPF_K) as u16, jt: 0, jf: 0, k: verdict }
}

fn error(errno: i32) -> u32 {
    libc::SECCOMP_RET_ERRNO | errno.unsigned_abs()
}

fn install(program: &mut [sock_filter]) -> io::Result<()> {
    let len = u16::try_from(program.len()).map_err(io::Error::other)?;
    let program = libc::sock_fprog { len, filter: program.as_mut_ptr() };
    // SAFETY: prctl with integers; then with a program that lives through the call, which copies it.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program)
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
